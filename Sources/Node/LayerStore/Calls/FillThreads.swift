import Dispatch

/// Threads for work that unpacks and writes: it waits for the disk, and for memory when there is little, and Swift's few threads,
/// on which every call goes on, must never wait.
final class FillThreads: TaskExecutor {
  static let shared = FillThreads()

  private let queue = DispatchQueue(label: "nagaya.fill", attributes: .concurrent)

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    queue.async { [self] in job.runSynchronously(on: asUnownedTaskExecutor()) }
  }
}

extension LayerStore {
  /// Runs what unpacks and writes on threads of its own.
  public static func filling<Result: Sendable>(
    isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Result
  ) async rethrows -> Result {
    try await withTaskExecutorPreference(FillThreads.shared) { try await body() }
  }
}
