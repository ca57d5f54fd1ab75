/// The server's bounds. The defaults suit one machine.
public struct APIServerConfiguration: Sendable {
  /// Bytes of recent changes kept for watches that resume.
  public var historyBytes = 16 << 20
  /// Events that may wait for one watcher.
  public var watcherEvents = 8192
  /// Bytes that may wait for one watcher.
  public var watcherBytes = 32 << 20
  /// An idle watcher hears this often up to which revision nothing happened; jittered by a fifth.
  public var bookmarkInterval: Duration = .seconds(30)
  /// A watch without `timeoutSeconds` ends after this long; jittered upwards by as much again.
  public var watchTimeout: Duration = .seconds(1800)
  /// A body's bytes at most.
  public var bodyBytes = 3 << 20
  /// Levels of nesting of a body at most.
  public var bodyDepth = 100
  /// Requests one user may have under way; watches and members of `system:masters` do not count.
  public var requestsPerUser = 200
  /// Snapshots kept so that lists in pages can be continued after changes.
  public var listSnapshots = 32
  public var listSnapshotLifetime: Duration = .seconds(120)
  /// Time between calls of the store's own maintenance.
  public var storeMaintenanceInterval: Duration = .seconds(10)

  public init() {}

  func jittered(_ duration: Duration) -> Duration { duration * Double.random(in: 0.8...1.2) }
}
