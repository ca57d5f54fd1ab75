import PlacementSimulator

/// Counts what a history holds while its events pass by.
struct LiveBytes {
  private(set) var summary = TraceSummary()
  private var live: [Int: Int64] = [:]
  private var bytes: Int64 = 0
  private var firstTime: Double?

  mutating func note(_ event: SimulationEvent) {
    let first = firstTime ?? event.time
    firstTime = first
    summary.seconds = event.time - first
    switch event.change {
    case .arrive(let demand):
      summary.requests += 1
      live[event.id] = demand.totalBytes
      bytes += demand.totalBytes
      summary.largestBytes = max(summary.largestBytes, demand.largestBytes)
    case .grow(_, let size):
      summary.expansions += 1
      bytes += size - (live[event.id] ?? size)
      live[event.id] = size
      summary.largestBytes = max(summary.largestBytes, size)
    case .delete:
      summary.deletions += 1
      bytes -= live.removeValue(forKey: event.id) ?? 0
    case .nodeLost, .nodeReturned, .drain: break
    }
    summary.peakBytes = max(summary.peakBytes, bytes)
  }
}
