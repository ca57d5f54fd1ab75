import Collections

/// Recent changes of all kinds, bounded by bytes, for watches that resume.
struct EventHistory {
  private var changes: Deque<ObjectChange> = []
  private(set) var bytes = 0
  private let maximumBytes: Int
  /// By kind: changes up to this revision are no longer here.
  private var floors: [UInt64]

  /// - Parameter revision: the store's when the server started; what came before is not known.
  init(kinds: Int, maximumBytes: Int, revision: UInt64) {
    self.maximumBytes = maximumBytes
    floors = Array(repeating: revision, count: kinds)
  }

  mutating func append(_ change: ObjectChange) {
    changes.append(change)
    bytes += Self.cost(of: change)
    while bytes > maximumBytes, let oldest = changes.popFirst() {
      bytes -= Self.cost(of: oldest)
      floors[oldest.kind] = oldest.revision
    }
  }

  /// The kind's changes after `revision`; `nil` if some of them are no longer known.
  func changes(of kind: Int, after revision: UInt64) -> [ObjectChange]? {
    guard revision >= floors[kind] else { return nil }
    var low = 0
    var high = changes.count
    while low < high {
      let middle = (low + high) / 2
      if changes[middle].revision <= revision { low = middle + 1 } else { high = middle }
    }
    return changes[low...].filter { $0.kind == kind }
  }

  /// What keeping a change costs: bytes that the cache may have let go.
  private static func cost(of change: ObjectChange) -> Int {
    change.record.bytes.count + (change.previous?.bytes.count ?? 0) + 256
  }
}
