import Glibc
import LinuxSystem

/// Calls that may wait for the disk or for ourselves: on a thread of their own, so that fills go on meanwhile. (A pool of
/// threads would fill up with readers that wait for bytes.)
enum BlockingWork {
  static func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
      let job = Job { continuation.resume(with: Swift.Result(catching: body)) }
      do { try job.start() } catch { continuation.resume(throwing: error) }
    }
  }

  /// Starts a thread.
  static func start(_ body: @escaping @Sendable () -> Void) throws {
    try Job(body).start()
  }

  private final class Job: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }

    func start() throws {
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
        throw SystemError("pthread_create", "layers", errno: failure)
      }
      pthread_detach(thread)
    }
  }
}
