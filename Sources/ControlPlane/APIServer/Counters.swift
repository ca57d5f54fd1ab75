import Locking

/// What the server has done and holds, at one instant.
public struct APIServerCounters: Sendable, Hashable {
  public struct Kind: Sendable, Hashable {
    public var resource: String
    public var objects: Int
    /// Bytes of JSON.
    public var bytes: Int
  }

  public var kinds: [Kind] = []
  /// Bytes of JSON of all objects.
  public var storedBytes = 0
  /// Bytes that records take beside the JSON, counted field by field (not measured).
  public var estimatedOverheadBytes = 0
  public var watchers = 0
  public var commits = 0
  public var failedCommits = 0
  public var writes = 0
  /// Events that were encoded; each once, however many watchers take it.
  public var eventsEncoded = 0
  /// Events that watchers were given.
  public var eventsDelivered = 0
  /// Watchers ended because they did not keep up.
  public var slowWatchersEnded = 0
  /// Bytes of recent events kept for watches that resume.
  public var historyBytes = 0
  public var requests = 0
  /// Requests refused because their user had too many under way or waiting.
  public var requestsLimited = 0
  /// Seats held, requests that wait for one, and watches and logs that are open, of users whose share is limited.
  public var seatsHeld = 0
  public var requestsWaiting = 0
  public var lastingRequests = 0
  /// Objects decoded to answer reads (tables need it; get, list and watch do not).
  public var decodesForReading = 0

  public var writesPerCommit: Double { commits == 0 ? 0 : Double(writes) / Double(commits) }
}

/// The counters while they count.
final class ServerCounters: Sendable {
  private let counters = Mutex(APIServerCounters())

  func committed(writes: Int) {
    counters.withLock {
      $0.commits += 1
      $0.writes += writes
    }
  }
  func commitFailed() { counters.withLock { $0.failedCommits += 1 } }
  func published(encoded: Int, delivered: Int, ended: Int) {
    counters.withLock {
      $0.eventsEncoded += encoded
      $0.eventsDelivered += delivered
      $0.slowWatchersEnded += ended
    }
  }
  func requested() { counters.withLock { $0.requests += 1 } }
  func limited() { counters.withLock { $0.requestsLimited += 1 } }
  func decoded(_ objects: Int) { counters.withLock { $0.decodesForReading += objects } }

  var snapshot: APIServerCounters { counters.withLock { $0 } }
}
