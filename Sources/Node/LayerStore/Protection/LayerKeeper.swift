import LinuxSystem

/// Holds the group by which the kernel asks for missing bytes, and the files through which they are written, so that
/// readers wait while the store's process is dead, and the next process goes on where it stopped.
public enum LayerKeeper {
  /// The name of the hidden subcommand.
  public static let command = "keep-layers"
  static let name = "keeper"

  /// Runs as a process of its own, until it is told to end or holds nothing. To be called before anything else is done.
  /// - Returns: the exit code.
  public static func run(runDirectory: String) -> Int32 {
    guard let server = try? HelperServer(name, runDirectory: runDirectory) else { return 1 }
    var files: [String: SharedDescriptor] = [:]
    server.run(
      watched: { [] }, onReadable: { _ in },
      isIdle: { files.keys.allSatisfy { FillDesk.sharedNames.contains($0[...]) } }
    ) { command, arguments, passed in
      switch (command, arguments.first) {
      case ("put", let name?):
        files[String(name)] = passed.first
        return ("ok", [])
      case ("get", let name?): return files[String(name)].map { ("ok", [$0]) } ?? ("none", [])
      case ("drop", let name?):
        files[String(name)] = nil
        return ("ok", [])
      case ("end", _): return nil
      default: return ("unknown", [])
      }
    }
    return 0
  }
}
