/// Why a node was chosen, in one line for people: "keeps 4 slots of 1 TiB; node-1 would lose the last".
struct PlacementReasons {
  private let demand: PlacementDemand
  private let state: PlacementState
  /// The size that slots are counted in: the largest that is asked for now and then, in bytes.
  private let large: Int64
  private let deviceClass: Int
  private let slots: Int
  /// For each number of slots that a fitting node would lose, the first that would; in the order of the ranking.
  private var losers: [(lost: Int, node: Int)] = []

  /// - Parameter fitting: the nodes where the demand may go, best first; only they are named.
  init(_ demand: PlacementDemand, _ fitting: [Int], _ statistics: RequestStatistics, _ state: PlacementState) {
    self.demand = demand
    self.state = state
    // The largest volume's class speaks for all.
    let deviceClass = demand.volumes.max { $0.bytes < $1.bytes }?.deviceClass ?? 0
    self.deviceClass = deviceClass
    let sizes = deviceClass < statistics.sizes.count ? statistics.sizes[deviceClass].sizes() : []
    large = sizes.last { $0.share >= 0.001 }?.bytes ?? 0
    slots = large > 0 ? state.room(for: large, deviceClass: deviceClass).slots : 0
    guard countsSlots else { return }
    var seen: Set<Int> = []
    for node in fitting {
      let lost = lost(node)
      if seen.insert(lost).inserted { losers.append((lost, node)) }
    }
  }

  /// Something larger is asked for now and then, so that its slots count.
  private var countsSlots: Bool { large > demand.largestBytes }

  /// Some node would lose more slots than the best one does.
  var tellsApart: Bool { losers.contains { $0.lost > losers[0].lost } }

  func text(for node: Int) -> String {
    guard demand.count > 0 else { return "asks for no volume" }
    let left = state.pool(of: node, deviceClass: deviceClass).map {
      state.free[$0] - state.bytes(of: demand, inPool: $0, on: node)
    }
    guard countsSlots else { return left.map { "keeps \(Self.size($0)) free" } ?? "has room" }
    let lost = lost(node)
    let keeps = "keeps \(slots - lost) \(slots - lost == 1 ? "slot" : "slots") of \(Self.size(large))"
    // The nearest alternative that would cost more slots says what was avoided.
    guard let worse = losers.first(where: { $0.lost > lost }) else { return keeps }
    return "\(keeps); \(state.names[worse.node]) would lose \(slots == worse.lost ? "the last" : "\(worse.lost)")"
  }

  /// How many slots of the large size a node would lose to the demand.
  private func lost(_ node: Int) -> Int {
    guard let pool = state.pool(of: node, deviceClass: deviceClass), state.largest[pool] >= large else { return 0 }
    let after = state.free[pool] - state.bytes(of: demand, inPool: pool, on: node)
    return Int(state.free[pool] / large - after / large)
  }

  /// A size in the largest binary unit of which there is at least one, with at most one decimal.
  static func size(_ bytes: Int64) -> String {
    let units: [(Int64, String)] = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB")]
    guard let (unit, name) = units.first(where: { bytes >= $0.0 }) else { return "\(bytes) B" }
    let tenths = bytes / (unit / 10)
    return tenths % 10 == 0 || tenths >= 1000 ? "\(bytes / unit) \(name)" : "\(tenths / 10).\(tenths % 10) \(name)"
  }
}
