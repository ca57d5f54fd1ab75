import Placement
import PlacementSimulator

/// A history made of snapshots of a cluster's claims.
///
/// A claim arrives when it was created. One that the next snapshot no longer has was deleted midway between the two; one
/// that asks for more grew midway. What was deleted before the first snapshot is unknown: rates before it are too low.
public struct ClaimHistory: Workload {
  public let snapshots: [ClaimSnapshot]
  public let summary: TraceSummary
  /// Seconds since 1970 of the history's time zero.
  public let start: Double
  private let changes: [SimulationEvent]

  /// - Parameter snapshots: at least one, in any order.
  public init(_ snapshots: [ClaimSnapshot]) throws(TraceError) {
    let ordered = snapshots.sorted { ($0.time, $0.file) < ($1.time, $1.file) }
    self.snapshots = ordered
    guard ordered.contains(where: { !$0.claims.isEmpty }) else {
      throw TraceError(.empty, file: ordered.first?.file ?? "claims")
    }
    // Every size that is ever read counts, so that no sum over the history overflows.
    var sum: Int64 = 0
    for snapshot in ordered {
      for claim in snapshot.claims {
        guard sum <= TraceColumns.largestSum - claim.bytes else { throw TraceError(.absurdSum, file: snapshot.file) }
        sum += claim.bytes
      }
    }
    start = ordered.flatMap(\.claims).map(\.created).min() ?? 0
    var builder = ClaimHistoryBuilder(start: start)
    for (index, snapshot) in ordered.enumerated() {
      builder.add(snapshot, previous: index == 0 ? nil : ordered[index - 1].time)
    }
    changes = builder.sortedEvents()
    var live = LiveBytes()
    for event in changes { live.note(event) }
    var summary = live.summary
    summary.rows = ordered.reduce(0) { $0 + $1.claims.count }
    summary.deviceClasses = ["default"]
    summary.warnings = ordered.reduce(into: builder.warnings) { $0.add($1.warnings) }
    self.summary = summary
  }

  public func events(seed: UInt64) -> any SimulationEventStream { RecordedWorkload(changes).events(seed: seed) }

  /// The youngest snapshot: how it stands today.
  public var latest: ClaimSnapshot? { snapshots.last }
}

private struct ClaimHistoryBuilder {
  let start: Double
  private var known: [String: (id: Int, bytes: Int64)] = [:]
  private var present: Set<String> = []
  private var events: [SimulationEvent] = []
  private(set) var warnings = TraceWarnings()

  init(start: Double) { self.start = start }

  mutating func add(_ snapshot: ClaimSnapshot, previous: Double?) {
    let midway = ((previous ?? snapshot.time) + snapshot.time) / 2 - start
    var seen: Set<String> = []
    for claim in snapshot.claims {
      seen.insert(claim.uid)
      if let entry = known[claim.uid], present.contains(claim.uid) {
        if claim.bytes > entry.bytes {
          events.append(
            SimulationEvent(time: midway, id: entry.id, change: .grow(volume: 0, toBytes: claim.bytes)))
          known[claim.uid] = (entry.id, claim.bytes)
        } else if claim.bytes < entry.bytes {
          warnings.add(TraceError(.shrinks(id: claim.name), file: snapshot.file))
        }
      } else {
        let id = known.count
        known[claim.uid] = (id, claim.bytes)
        events.append(
          SimulationEvent(time: claim.created - start, id: id, change: .arrive(PlacementDemand(bytes: claim.bytes))))
      }
    }
    for uid in present.subtracting(seen) {
      if let entry = known[uid] {
        events.append(SimulationEvent(time: midway, id: entry.id, change: .delete))
      }
    }
    present = seen
  }

  /// By time; at one time ends of lives come first, except of what arrives at that very time.
  func sortedEvents() -> [SimulationEvent] {
    var arrivals: [Int: Double] = [:]
    for event in events {
      if case .arrive = event.change { arrivals[event.id] = event.time }
    }
    // The midpoint may lie before the claim was created.
    let corrected = events.map { event in
      SimulationEvent(time: max(event.time, arrivals[event.id] ?? event.time), id: event.id, change: event.change)
    }
    func rank(_ event: SimulationEvent) -> Int {
      switch event.change {
      case .arrive: 1
      case .grow: 2
      default: arrivals[event.id] == event.time ? 3 : 0
      }
    }
    return corrected.sorted { ($0.time, rank($0), $0.id) < ($1.time, rank($1), $1.id) }
  }
}
