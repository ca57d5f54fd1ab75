import Glibc

/// Calls that wait for the disk, or for somebody who may wait for us, outside of Swift's few threads, which must never
/// wait.
///
/// Each has a thread of its own: a pool would fill up with readers that wait for bytes which only we can bring.
public enum BlockingWork {
  /// Runs to its end even if the caller is cancelled: what changes the disk is never left half done.
  public static func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
      let job = Job { continuation.resume(with: Swift.Result(catching: body)) }
      do { try job.start() } catch { continuation.resume(throwing: error) }
    }
  }

  private final class Job: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }

    func start() throws(SystemError) {
      var thread = pthread_t()
      let reference = Unmanaged.passRetained(self)
      let failure = pthread_create(
        &thread, nil,
        { argument in
          guard let argument else { return nil }
          let job = Unmanaged<Job>.fromOpaque(argument).takeRetainedValue()
          job.body()
          return nil
        }, reference.toOpaque())
      guard failure == 0 else {
        reference.release()
        throw SystemError("pthread_create", "a thread for a call that waits", errno: failure)
      }
      pthread_detach(thread)
    }
  }
}
