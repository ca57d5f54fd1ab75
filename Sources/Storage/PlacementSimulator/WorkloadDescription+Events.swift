import Placement

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension WorkloadDescription {
  public func events(seed: UInt64) -> any SimulationEventStream { DescribedEvents(self, seed: seed) }
}

/// Draws a described workload's events one by one; only what lies ahead of living requests is held.
struct DescribedEvents: SimulationEventStream {
  private let workload: WorkloadDescription
  private let kindSums: [Double]
  private let lifetimeSums: [Double]
  private var random: SeededRandom
  private var future = EventQueue()
  private var arrived = 0
  private var nextArrival: Double
  private var groupLeft = 0
  private var groupKind = 0
  private var inBurst = false
  private var burstEnds: Double
  private var changes: ArraySlice<WorkloadDescription.NodeChange>

  init(_ workload: WorkloadDescription, seed: UInt64) {
    self.workload = workload
    kindSums = Self.runningSums(workload.kinds.map(\.weight))
    lifetimeSums = Self.runningSums(workload.lifetimes.map(\.weight))
    random = SeededRandom(seed: seed &* 0x9E37_79B9_7F4A_7C15 ^ 0xD1B5_4A32_D192_ED03)
    changes = workload.nodeChanges[...]
    nextArrival = 0
    burstEnds = .infinity
    if workload.burstFactor > 1, workload.burstShare > 0 { burstEnds = exponential(mean: calmSeconds) }
    advanceArrival()
  }

  mutating func next() -> SimulationEvent? {
    let arrival = arrived < workload.requests ? nextArrival : .infinity
    let queued = future.nextTime ?? .infinity
    let change = changes.first?.time ?? .infinity
    // A node's change first, then the end of a life, then an arrival: room is given back before it is asked for.
    if change <= min(queued, arrival), let first = changes.popFirst() {
      return SimulationEvent(time: first.time, change: first.change)
    }
    if queued <= arrival { return future.pop() }
    return arrive()
  }

  private mutating func arrive() -> SimulationEvent? {
    guard arrived < workload.requests else { return nil }
    let (id, time) = (arrived, nextArrival)
    arrived += 1
    if groupLeft == 0 {
      groupKind = pick(kindSums)
      groupLeft = groupSize()
    }
    groupLeft -= 1
    let demand = workload.kinds[groupKind].demand
    let life = exponential(mean: workload.lifetimes[pick(lifetimeSums)].meanSeconds)
    // Drawn whether or not the volume grows, so that histories with and without growth have the same arrivals.
    let (growthLot, growthPoint) = (random.unit(), random.unit())
    if let growth = workload.growth, growthLot < growth.probability, demand.count > 0 {
      let volume = min(demand.count - 1, Int(growthLot / growth.probability * Double(demand.count)))
      let bytes = Int64((Double(demand[volume].bytes) * growth.factor).rounded())
      future.push(
        SimulationEvent(time: time + life * growthPoint, id: id, change: .grow(volume: volume, toBytes: bytes)))
    }
    future.push(SimulationEvent(time: time + life, id: id, change: .delete))
    if groupLeft == 0 { advanceArrival() }
    return SimulationEvent(time: time, id: id, change: .arrive(demand))
  }

  /// The next group's arrival; within a group all arrive at once.
  private mutating func advanceArrival() {
    let base = workload.arrivalRate / max(1, workload.requestsPerApp)
    guard burstEnds < .infinity else {
      nextArrival += exponential(mean: 1 / base)
      return
    }
    // The mean over calm and burst is the described rate.
    let calm = base / (1 + (workload.burstFactor - 1) * workload.burstShare)
    var left = exponential(mean: 1)
    while true {
      let rate = inBurst ? calm * workload.burstFactor : calm
      if nextArrival + left / rate <= burstEnds {
        nextArrival += left / rate
        return
      }
      left -= (burstEnds - nextArrival) * rate
      nextArrival = burstEnds
      inBurst.toggle()
      burstEnds += exponential(mean: inBurst ? workload.burstSeconds : calmSeconds)
    }
  }

  private var calmSeconds: Double { workload.burstSeconds * (1 - workload.burstShare) / workload.burstShare }

  /// Geometric with the described mean.
  private mutating func groupSize() -> Int {
    guard workload.requestsPerApp > 1 else { return 1 }
    return 1 + Int(log(1 - random.unit()) / log(1 - 1 / workload.requestsPerApp))
  }

  private mutating func exponential(mean: Double) -> Double { -mean * log(1 - random.unit()) }

  private mutating func pick(_ sums: [Double]) -> Int {
    let lot = random.unit() * (sums.last ?? 0)
    return min(sums.firstIndex { lot < $0 } ?? 0, max(0, sums.count - 1))
  }

  private static func runningSums(_ weights: [Double]) -> [Double] {
    var sum = 0.0
    return weights.map { weight in
      sum += weight
      return sum
    }
  }
}
