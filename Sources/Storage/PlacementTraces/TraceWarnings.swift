/// Lines that were left out because they could not be used, counted by reason.
public struct TraceWarnings: Sendable, Hashable {
  public struct Entry: Sendable, Hashable {
    public var count: Int
    /// The first of its kind.
    public var first: TraceError
  }

  /// By reason, in few words.
  public private(set) var entries: [String: Entry] = [:]

  public init() {}

  public var isEmpty: Bool { entries.isEmpty }
  /// Lines left out in all.
  public var count: Int { entries.values.reduce(0) { $0 + $1.count } }

  mutating func add(_ error: TraceError) {
    entries[error.problem.kind, default: Entry(count: 0, first: error)].count += 1
  }

  mutating func add(_ others: TraceWarnings) {
    for (kind, entry) in others.entries {
      entries[kind, default: Entry(count: 0, first: entry.first)].count += entry.count
    }
  }

  /// `12 lines left out: clock backwards (first: trace.csv:17: ...)`, one line per reason, the most frequent first.
  public var lines: [String] {
    entries.sorted { ($1.value.count, $0.key) < ($0.value.count, $1.key) }.map { kind, entry in
      "\(entry.count) \(entry.count == 1 ? "line" : "lines") left out: \(kind) (first: \(entry.first))"
    }
  }
}
