/// Runs work that must be done in time.
enum Deadline {
  struct Passed: Error {}

  /// - Throws: `Passed` when the time is up; the work is cancelled then.
  static func within<Result: Sendable>(
    _ limit: Duration, _ work: @escaping @Sendable () async throws -> Result
  ) async throws -> Result {
    try await withThrowingTaskGroup(of: Result.self) { group in
      group.addTask(operation: work)
      group.addTask {
        try await Task.sleep(for: limit)
        throw Passed()
      }
      defer { group.cancelAll() }
      guard let result = try await group.next() else { throw Passed() }
      return result
    }
  }
}
