/// Between the end of one watch and the beginning of the next.
enum WatchPause {
  /// Keeps a server that ends watches at once from being asked without pause.
  /// - Throws: `CancellationError` when the command was ended.
  static func take() async throws { try await Task.sleep(for: .milliseconds(50)) }
}
