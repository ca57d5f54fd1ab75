/// Which snapshotter a private containerd uses.
public struct SnapshotterPlugin: Sendable, Hashable {
  /// As containerd knows it.
  public var name: String
  /// What its configuration needs beside the name: tables of TOML, empty for a snapshotter of its own.
  public var tables: String

  public init(name: String, tables: String) {
    self.name = name
    self.tables = tables
  }

  /// containerd's own: images are unpacked before their containers start.
  public static let overlayfs = SnapshotterPlugin(name: "overlayfs", tables: "")
}
