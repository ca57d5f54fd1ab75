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
  /// Values of a body at most, those within others included: as a tree each takes some hundred bytes.
  public var bodyValues = 100_000
  /// Bytes of an object at most, as it is stored: what etcd takes.
  public var objectBytes = 3 << 19
  /// Levels of nesting of a body at most.
  public var bodyDepth = 100
  /// Seats of each level of priority; a request takes one, a list one for every 250 objects that it looks at.
  public var seats = 64
  /// Seats that one user may hold.
  public var seatsPerFlow = 16
  /// Seats that one tenant's users and accounts may hold together.
  public var seatsPerTenant = 32
  /// Seats that a list takes at most: all of one user, so that one user's long lists come one after the other and leave a
  /// processor to others.
  public var listSeats = 16
  /// Requests one user may have under way or waiting; members of `system:masters` do not count.
  public var requestsPerUser = 200
  /// Requests that one tenant's users and accounts may have under way or waiting together.
  public var requestsPerTenant = 600
  /// Requests that may wait in all, and bytes of bodies that may wait, of one user, of one tenant and in all.
  public var waitingRequests = 2048
  public var waitingBytesPerUser = 16 << 20
  public var waitingBytesPerTenant = 48 << 20
  public var waitingBytes = 128 << 20
  /// How long an answer under way holds its seats; a client that reads it more slowly keeps nobody else out.
  public var longestSeat: Duration = .seconds(10)
  /// How long a request may wait for its turn.
  public var requestPatience: Duration = .seconds(15)
  /// Watches, and logs that are followed, that one user may have open.
  public var watchesPerUser = 200
  public var logsPerUser = 50
  /// The same of all of one tenant's users and accounts together.
  public var watchesPerTenant = 1000
  public var logsPerTenant = 200
  /// Snapshots kept so that lists in pages can be continued after changes.
  public var listSnapshots = 32
  public var listSnapshotLifetime: Duration = .seconds(120)
  /// Time between calls of the store's own maintenance.
  public var storeMaintenanceInterval: Duration = .seconds(10)

  public init() {}

  func jittered(_ duration: Duration) -> Duration { duration * Double.random(in: 0.8...1.2) }
}
