import LayerStore

/// The processes that keep readers of lazy layers safe while this program is dead: subcommands that are not shown, started
/// by the layer store. They leave their parent before they do anything else, so they come before all other commands.
enum LayerProcesses {
  /// Runs one, if the command line names it.
  /// - Returns: its exit code; `nil` for all other command lines.
  static func run(_ arguments: [String]) -> Int32? {
    guard arguments.count == 3 else { return nil }
    switch arguments[1] {
    case LayerKeeper.command: return LayerKeeper.run(runDirectory: arguments[2])
    case LayerGuard.command: return LayerGuard.run(runDirectory: arguments[2])
    default: return nil
    }
  }
}
