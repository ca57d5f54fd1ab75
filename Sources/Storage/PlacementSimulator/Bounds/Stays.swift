import Placement

/// Who of a history lives when, whatever a policy does with it: what bounds are computed from.
///
/// Each request is a point in a few dimensions, one for each device class, and processor and memory, which must fit one by
/// one. Positions in the order of events stand for moments.
struct Stays: Sendable {
  /// A change at a position.
  enum Change: Sendable {
    case arrive(Int)
    /// One dimension of a request is larger by so much from now on.
    case grow(Int, dimension: Int, by: Int64)
    case leave(Int)
  }

  let dimensions: Int
  /// By `request * dimensions + dimension`: what is asked for at first. A request that costs nothing to refuse is not here.
  private(set) var asked: [Int64] = []
  private(set) var requestCount = 0
  private(set) var changes: [(time: Double, change: Change)] = []
  /// Requests and expansions that count: those after the warm-up.
  private(set) var requests = 0
  private(set) var expansions = 0

  /// Larger histories are not held: their bounds would take gigabytes.
  static let mostRequests = 2_000_000

  /// `nil` for a history of more than two million requests.
  init?(
    _ workload: any Workload, seed: UInt64, classCount: Int, warmupRequests: Int, maximumRequests: Int
  ) throws {
    dimensions = classCount + 2
    /// By id, while it lives: the request, or -1 for one of the warm-up; and its sizes by volume.
    var living: [Int: (request: Int, demand: PlacementDemand)] = [:]
    var seen = 0
    var events = try workload.events(seed: seed)
    while let event = try events.next() {
      switch event.change {
      case .arrive(let demand):
        if seen >= maximumRequests { return }
        seen += 1
        guard seen <= Self.mostRequests else { return nil }
        // A refusal in the warm-up is not counted, so those requests may be refused for nothing: they are left out.
        guard seen > warmupRequests else {
          living[event.id] = (-1, demand)
          continue
        }
        requests += 1
        living[event.id] = (requestCount, demand)
        for dimension in 0..<dimensions { asked.append(Self.amount(demand, dimension, classCount)) }
        changes.append((event.time, .arrive(requestCount)))
        requestCount += 1
      case .grow(let volume, let bytes):
        guard let (request, old) = living[event.id], volume >= 0, volume < old.count else { continue }
        if seen > warmupRequests { expansions += 1 }
        let more = bytes - old[volume].bytes
        guard more > 0 else { continue }
        var demand = old
        demand[volume].bytes = bytes
        living[event.id] = (request, demand)
        let dimension = demand[volume].deviceClass
        if request >= 0, dimension < classCount {
          changes.append((event.time, .grow(request, dimension: dimension, by: more)))
        }
      case .delete:
        guard let (request, _) = living.removeValue(forKey: event.id) else { continue }
        if request >= 0 { changes.append((event.time, .leave(request))) }
      case .nodeLost:
        // Who goes down with the node depends on the policy: from here on none of the living is counted on.
        for request in living.values.map(\.request).sorted() where request >= 0 {
          changes.append((event.time, .leave(request)))
        }
        for id in living.keys { living[id]?.request = -1 }
      case .nodeReturned, .drain: continue
      }
    }
  }

  /// How much of one dimension a request needs on its node.
  private static func amount(_ demand: PlacementDemand, _ dimension: Int, _ classCount: Int) -> Int64 {
    switch dimension - classCount {
    case 0: return demand.milliCPU
    case 1: return demand.memoryBytes
    default:
      var sum: Int64 = 0
      for index in 0..<demand.count where demand[index].deviceClass == dimension { sum += demand[index].bytes }
      return sum
    }
  }
}
