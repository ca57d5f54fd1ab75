import Dispatch

/// Calls that may wait for the disk: on threads of their own, so that fills go on meanwhile.
enum BlockingWork {
  private static let queue = DispatchQueue(label: "dev.nagaya.layers", attributes: .concurrent)

  static func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
      queue.async { continuation.resume(with: Swift.Result(catching: body)) }
    }
  }
}
