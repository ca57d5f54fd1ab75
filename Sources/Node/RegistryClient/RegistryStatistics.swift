import Locking

/// What was asked of one host so far.
public struct RegistryStatistics: Sendable, Hashable {
  /// All requests, those of other kinds than blobs too.
  public var requests = 0
  /// Of bodies of blobs and manifests.
  public var bytes: Int64 = 0
  /// Requests that were sent again after they had failed.
  public var retries = 0
  /// Answers 429 and 503.
  public var throttled = 0

  public init() {}
}

/// Counts by host.
final class StatisticsByHost: Sendable {
  private let counts = Mutex<[String: RegistryStatistics]>([:])

  var all: [String: RegistryStatistics] { counts.withLock { $0 } }

  func count(_ host: String, _ change: (inout RegistryStatistics) -> Void) {
    counts.withLock { change(&$0[host, default: RegistryStatistics()]) }
  }
}
