import Placement

/// The distribution of a workload's request sizes, from one pass over (the beginning of) its events.
public struct WorkloadProfile: Sendable {
  /// How many requests were looked at.
  public private(set) var requests = 0
  /// Counts by exact size in bytes: a size is the total of a request.
  public private(set) var countsByBytes: [Int64: Int] = [:]

  /// - Parameter limit: at most so many requests are looked at.
  public init(_ workload: any Workload, seed: UInt64, limit: Int = 200_000) throws {
    var events = try workload.events(seed: seed)
    while requests < limit, let event = try events.next() {
      guard case .arrive(let demand) = event.change else { continue }
      requests += 1
      countsByBytes[demand.totalBytes, default: 0] += 1
    }
  }

  /// The size below or at which the given share of requests lies (nearest rank); 0 without requests.
  public func quantile(_ share: Double) -> Int64 {
    let rank = max(1, Int((share * Double(requests)).rounded(.up)))
    var seen = 0
    for (bytes, count) in countsByBytes.sorted(by: { $0.key < $1.key }) {
      seen += count
      if seen >= rank { return bytes }
    }
    return 0
  }
}
