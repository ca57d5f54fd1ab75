/// Why the engine did not do what it was told.
public enum PlacementError: Error, Sendable, Hashable {
  /// The id has a place already; release it first.
  case alreadyPlaced(id: Int)
  /// The id has no place.
  case notPlaced(id: Int)
  /// There is not room enough on the node.
  case doesNotFit(id: Int, node: Int)
  /// The demand asks for a device class or a size that makes no sense.
  case invalidDemand(id: Int)
}

/// State, policy and ledger in one: decides where demands go and remembers where they went.
///
/// A value; whoever shares it between tasks puts it into an actor. There is no clock: a reservation's end is a logical
/// time that the caller gives and later compares (`expire`). What is reserved is taken off at once, so that decisions
/// made between a reservation and its confirmation can't promise the same room twice.
public struct PlacementEngine: Sendable {
  public private(set) var state: PlacementState
  public private(set) var policy: any PlacementPolicy
  private var table: AllocationTable
  private var expiries = ExpiryQueue()
  /// How many allocations are only reserved.
  private var reservations = 0

  public init(nodes: [NodeDescription], classCount: Int? = nil, policy: any PlacementPolicy) {
    state = PlacementState(nodes: nodes, classCount: classCount)
    self.policy = policy
    table = AllocationTable(nodeCount: nodes.count)
    self.policy.rebuild(from: state)
  }

  // MARK: Deciding

  /// The node for a demand, which is learned from; nothing is taken. `nil` where it fits nowhere.
  public mutating func decide(_ demand: PlacementDemand) -> Int? {
    policy.learn(.requested(demand))
    return choose(demand)
  }

  /// As `decide`, for a demand that was seen before (a retry, a move): nothing is learned.
  public mutating func choose(_ demand: PlacementDemand) -> Int? {
    guard isValid(demand), let node = policy.choose(demand, in: state) else { return nil }
    precondition(state.fits(demand, on: node), "policy \(policy.name) chose a node that does not fit")
    return node
  }

  /// As `choose`, on any node but one.
  public mutating func choose(_ demand: PlacementDemand, excluding node: Int) -> Int? {
    let wasAvailable = state.isAvailable(node)
    // For the moment of the question only: the policy's own figures of the node stay as they are.
    state.setAvailable(false, node: node)
    defer { state.setAvailable(wasAvailable, node: node) }
    return choose(demand)
  }

  /// All fitting nodes, best first; nothing is learned or taken.
  public mutating func rank(_ demand: PlacementDemand) -> [RankedPlacement] {
    isValid(demand) ? policy.rank(demand, in: state) : []
  }

  // MARK: Taking and giving back

  /// Puts a demand on a node.
  public mutating func place(_ demand: PlacementDemand, id: Int, on node: Int) throws(PlacementError) {
    try take(Allocation(id: id, demand: demand, node: node, steps: 0))
  }

  /// Decides, and holds the room until `expiry`; `nil` where it fits nowhere.
  public mutating func reserve(_ demand: PlacementDemand, id: Int, until expiry: Double) throws(PlacementError) -> Int?
  {
    guard !table.contains(id) else { throw .alreadyPlaced(id: id) }
    guard isValid(demand) else { throw .invalidDemand(id: id) }
    guard let node = decide(demand) else { return nil }
    try take(Allocation(id: id, demand: demand, node: node, steps: 0, reservedUntil: expiry))
    return node
  }

  /// A reservation became real.
  public mutating func confirm(_ id: Int) throws(PlacementError) {
    guard let allocation = table[id] else { throw .notPlaced(id: id) }
    if allocation.reservedUntil != nil { reservations -= 1 }
    table.setReservation(id, until: nil)
  }

  /// Gives the room of an id back: the end of its life, or of a reservation that came to nothing.
  @discardableResult
  public mutating func release(_ id: Int) throws(PlacementError) -> Allocation {
    guard let allocation = table.remove(id) else { throw .notPlaced(id: id) }
    if allocation.reservedUntil != nil { reservations -= 1 }
    state.give(allocation.demand, on: allocation.node, steps: allocation.steps)
    policy.update(node: allocation.node, in: state)
    return allocation
  }

  /// Gives back all reservations whose time has come, and returns their ids in ascending order.
  ///
  /// Costs the logarithm of the number of reservations for each that has ended, and nothing where none has.
  @discardableResult
  public mutating func expire(at time: Double) -> [Int] {
    var due: [Int] = []
    while let entry = expiries.pop(at: time) {
      // Confirmed or released meanwhile, or reserved anew until later: then another entry stands for it.
      guard table[entry.id]?.reservedUntil == entry.time, (try? release(entry.id)) != nil else { continue }
      due.append(entry.id)
    }
    return due.sorted()
  }

  private mutating func note(_ allocation: Allocation) {
    guard let time = allocation.reservedUntil else { return }
    reservations += 1
    expiries.push(ExpiryQueue.Entry(time: time, id: allocation.id))
    // Stale entries are at most as many as real ones, and some: each sweep is paid for by the pushes before it.
    if expiries.count > 2 * reservations + 64 {
      let table = table
      expiries.sweep { table[$0.id]?.reservedUntil == $0.time }
    }
  }

  /// Makes a volume larger where it stands.
  /// - Returns: false where its pool has too little room; then nothing has changed.
  public mutating func grow(_ id: Int, volume: Int, toBytes: Int64) throws(PlacementError) -> Bool {
    guard let allocation = table[id] else { throw .notPlaced(id: id) }
    guard volume >= 0, volume < allocation.demand.count, toBytes >= allocation.demand[volume].bytes else {
      throw .invalidDemand(id: id)
    }
    guard canGrow(allocation, volume: volume, toBytes: toBytes) else { return false }
    state.give(allocation.demand, on: allocation.node, steps: allocation.steps)
    table.grow(id, volume: volume, toBytes: toBytes)
    var grown = allocation.demand
    grown[volume].bytes = toBytes
    state.take(grown, on: allocation.node, steps: allocation.steps + 1)
    policy.update(node: allocation.node, in: state)
    return true
  }

  /// Puts back what was released a moment ago, as it was, reservation and growth included.
  mutating func restore(_ allocation: Allocation) {
    state.take(allocation.demand, on: allocation.node, steps: allocation.steps)
    table.insert(allocation)
    note(allocation)
    policy.update(node: allocation.node, in: state)
  }

  /// Takes room on a node that no move and no demand may take away.
  public mutating func hold(_ demand: PlacementDemand, id: Int, on node: Int) throws(PlacementError) {
    try take(Allocation(id: id, demand: demand, node: node, steps: 0, reservedUntil: .infinity))
  }

  /// Tells the policy of something that happened.
  public mutating func learn(_ observation: PlacementObservation) { policy.learn(observation) }

  /// Moves a demand to another node.
  public mutating func move(_ id: Int, to node: Int) throws(PlacementError) {
    guard let allocation = table[id] else { throw .notPlaced(id: id) }
    guard allocation.node != node else { return }
    guard state.fits(allocation.demand, on: node) else { throw .doesNotFit(id: id, node: node) }
    state.give(allocation.demand, on: allocation.node, steps: allocation.steps)
    policy.update(node: allocation.node, in: state)
    state.take(allocation.demand, on: node, steps: allocation.steps)
    table.move(id, to: node)
    policy.update(node: node, in: state)
  }

  /// Puts everything at once onto the nodes that are named by id; what is not named stays.
  /// - Throws: `doesNotFit` or `notPlaced`; then nothing has changed.
  public mutating func rearrange(_ targets: [Int: Int]) throws(PlacementError) {
    let before = self
    let moving = targets.keys.sorted().compactMap { table[$0] }.filter { targets[$0.id] != $0.node }
    for id in targets.keys where !table.contains(id) { throw .notPlaced(id: id) }
    for allocation in moving { state.give(allocation.demand, on: allocation.node, steps: allocation.steps) }
    var touched: Set<Int> = []
    for allocation in moving {
      let node = targets[allocation.id] ?? allocation.node
      guard state.fits(allocation.demand, on: node) else {
        self = before
        throw .doesNotFit(id: allocation.id, node: node)
      }
      state.take(allocation.demand, on: node, steps: allocation.steps)
      table.move(allocation.id, to: node)
      touched.formUnion([allocation.node, node])
    }
    for node in touched.sorted() { policy.update(node: node, in: state) }
  }

  // MARK: Nodes

  /// Adds an empty node and returns its index.
  @discardableResult
  public mutating func addNode(_ node: NodeDescription) -> Int {
    let index = state.add(node)
    table.addNode()
    policy.rebuild(from: state)
    return index
  }

  /// Whether a node may take new demands; what it holds stays.
  public mutating func setAvailable(_ isAvailable: Bool, node: Int) {
    state.setAvailable(isAvailable, node: node)
    policy.update(node: node, in: state)
  }

  // MARK: Reading

  /// Where an id stands.
  public func allocation(_ id: Int) -> Allocation? { table[id] }

  /// All that stands on a node, by ascending id.
  public func allocations(on node: Int) -> [Allocation] {
    table.entriesOfNode[node].map { table[entry: $0] }.sorted { $0.id < $1.id }
  }

  /// All that stands on a node, the smallest first.
  func allocationsBySize(on node: Int) -> [Allocation] {
    allocations(on: node).sorted { ($0.demand.totalBytes, $0.id) < ($1.demand.totalBytes, $1.id) }
  }

  /// How many demands have a place.
  public var allocationCount: Int { table.count }

  /// Whether a volume has room to grow where it stands.
  public func canGrow(_ allocation: Allocation, volume: Int, toBytes: Int64) -> Bool {
    let request = allocation.demand[volume]
    guard let pool = state.pool(of: allocation.node, deviceClass: request.deviceClass) else { return false }
    return state.free[pool] >= toBytes - request.bytes && state.largest[pool] >= toBytes
  }

  private mutating func take(_ allocation: Allocation) throws(PlacementError) {
    guard !table.contains(allocation.id) else { throw .alreadyPlaced(id: allocation.id) }
    guard isValid(allocation.demand) else { throw .invalidDemand(id: allocation.id) }
    guard state.fits(allocation.demand, on: allocation.node) else {
      throw .doesNotFit(id: allocation.id, node: allocation.node)
    }
    state.take(allocation.demand, on: allocation.node, steps: allocation.steps)
    table.insert(allocation)
    note(allocation)
    policy.update(node: allocation.node, in: state)
  }

  private func isValid(_ demand: PlacementDemand) -> Bool {
    guard demand.milliCPU >= 0, demand.memoryBytes >= 0 else { return false }
    for index in 0..<demand.count where demand[index].bytes < 0 || demand[index].deviceClass < 0 { return false }
    return true
  }
}
