import Dispatch

/// Runs calls that wait for the disk outside of Swift's few threads, which must never wait.
struct BlockingWork: Sendable {
  private let queue: DispatchQueue

  init(label: String) { queue = DispatchQueue(label: label, attributes: .concurrent) }

  /// Runs to its end even if the caller is cancelled: what changes the disk is never left half done.
  func callAsFunction<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
      queue.async { continuation.resume(with: Swift.Result { try body() }) }
    }
  }
}

extension BlockingWork {
  /// The same for work that reports its own failures.
  func ignoringErrors(_ body: @escaping @Sendable () -> Void) async { try? await self(body) }
}
