public import OCI

/// How much of a layer is on this machine.
public enum LayerState: Sendable, Hashable {
  /// Bytes of the data device.
  case filling(present: Int64, of: Int64)
  /// All of it, verified; no registry is needed any more.
  case complete
}

/// What an operator wants to know about a layer.
public struct LayerStatus: Sendable {
  public var key: LayerKey
  public var origin: ImageReference
  public var state: LayerState
  /// Uncompressed bytes, as laid out on the data device.
  public var deviceBytes: Int64
  /// Compressed bytes in the registry.
  public var blobBytes: Int64
  public var inodes: Int
  public var isMounted: Bool
  /// Whether its mount reads through the daemon (FUSE): also when it became complete since, until it is mounted anew.
  public var isServed: Bool
  /// File systems of it that containers still have and that must be given up: those containers must be started anew.
  public var lost: [LostMount]
  /// Last added, mounted or unmounted, in seconds since 1970.
  public var lastUsed: Int64
  public var figures: LayerFigures
}

/// What of the store's queues is taken now.
public struct StoreGauges: Sendable, Hashable {
  /// Reads that wait for bytes; each is a thread of a program, which bounds them.
  public var waitingReads = 0
  /// Orders of what will be read, of at most `prefetchLimit`.
  public var prefetches = 0
  public static let prefetchLimit = 256
  /// Fetches that wait for room in memory.
  public var memoryWaits = 0
  /// Bytes in memory, of so many.
  public var memoryBytes: Int64 = 0
  public var memoryLimitBytes: Int64 = 0
}

/// Counted since the process started.
public struct LayerFigures: Sendable, Hashable {
  /// How long readers waited for bytes that were not there; each count is of waits up to the bound of the same index,
  /// the last of longer ones.
  public var stalls: [Int] = Array(repeating: 0, count: stallBounds.count + 1)
  public var stalledSeconds: Double = 0
  /// Reads that could not be answered and failed.
  public var failedReads = 0
  /// Compressed bytes fetched, by why.
  public var fetchedBytes: [FillCause: Int64] = [:]
  /// Requests to the registry, by why.
  public var fetches: [FillCause: Int] = [:]
  /// Bytes that were not what their digest says.
  public var refusals = 0

  /// In milliseconds.
  public static let stallBounds: [Double] = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000]

  public init() {}

  mutating func addStall(_ duration: Duration) {
    let milliseconds = Double(duration.components.seconds) * 1e3 + Double(duration.components.attoseconds) / 1e15
    stalls[Self.stallBounds.firstIndex { milliseconds <= $0 } ?? Self.stallBounds.count] += 1
    stalledSeconds += milliseconds / 1e3
  }
}

/// Why bytes are fetched.
public typealias FillCause = FetchUrgency
