/// The copies that are under way on this node, one for each move at a time.
actor CopyTasks {
  private var tasks: [String: (name: String, task: Task<Void, Never>)] = [:]

  /// Begins a piece of work for a move, unless it is under way. Another one of that move is ended first.
  func run(_ move: String, _ name: String, _ body: @escaping @Sendable () async -> Void) async {
    if let running = tasks[move] {
      if running.name == name { return }
      await end(move)
      // Somebody else may have begun meanwhile.
      if tasks[move] != nil { return }
    }
    tasks[move] = (
      name,
      Task {
        await body()
        self.ended(move, name)
      }
    )
  }

  /// Ends what is under way, and waits for that.
  func end(_ move: String) async {
    guard let running = tasks.removeValue(forKey: move) else { return }
    running.task.cancel()
    await running.task.value
  }

  func endAll() async {
    for move in tasks.keys.sorted() { await end(move) }
  }

  private func ended(_ move: String, _ name: String) {
    if tasks[move]?.name == name { tasks[move] = nil }
  }
}
