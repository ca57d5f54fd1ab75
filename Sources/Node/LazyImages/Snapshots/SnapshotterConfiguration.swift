/// Where a snapshotter keeps what is its own. Paths are absolute.
public struct SnapshotterConfiguration: Sendable, Hashable {
  /// Records and directories of snapshots. On a file system that can hold an overlay's upper directory; keep it short:
  /// all paths of a mount have to fit into one page.
  public var root: String
  /// Where containerd finds the snapshotter (`address` of its proxy plugin).
  public var socket: String

  public init(root: String, socket: String) {
    self.root = root
    self.socket = socket
  }

  /// Records, in SQLite.
  var recordsFile: String { "\(root)/snapshots.sqlite" }
  /// Held by the one process that works on the root.
  var lockFile: String { "\(root)/lock" }
  /// One directory for each snapshot, named by its number.
  var directories: String { "\(root)/s" }
}
