/// One demand that has its place on a node.
public struct Allocation: Sendable, Hashable {
  /// The caller's name for it.
  public var id: Int
  public var demand: PlacementDemand
  /// Index of the node.
  public var node: Int
  /// How often its volumes have grown so far.
  public var steps: Int
  /// Where it is only reserved: the logical time at which the reservation ends.
  public var reservedUntil: Double?
}

/// Who stands where: by id, and by node.
struct AllocationTable: Sendable {
  private var entries: [Allocation] = []
  /// By entry: its position in the list of its node.
  private var positions: [Int32] = []
  private var vacant: [Int32] = []
  private var entryOfID: [Int: Int32] = [:]
  /// By node: its entries, in no order.
  private(set) var entriesOfNode: [[Int32]]

  init(nodeCount: Int) { entriesOfNode = Array(repeating: [], count: nodeCount) }

  var count: Int { entryOfID.count }

  mutating func addNode() { entriesOfNode.append([]) }

  subscript(id: Int) -> Allocation? { entryOfID[id].map { entries[Int($0)] } }

  subscript(entry entry: Int32) -> Allocation { entries[Int(entry)] }

  func contains(_ id: Int) -> Bool { entryOfID[id] != nil }

  mutating func insert(_ allocation: Allocation) {
    let entry: Int32
    if let free = vacant.popLast() {
      entry = free
      entries[Int(entry)] = allocation
    } else {
      entry = Int32(entries.count)
      entries.append(allocation)
      positions.append(0)
    }
    entryOfID[allocation.id] = entry
    link(entry, to: allocation.node)
  }

  mutating func remove(_ id: Int) -> Allocation? {
    guard let entry = entryOfID.removeValue(forKey: id) else { return nil }
    let allocation = entries[Int(entry)]
    unlink(entry, from: allocation.node)
    vacant.append(entry)
    return allocation
  }

  mutating func move(_ id: Int, to node: Int) {
    guard let entry = entryOfID[id] else { return }
    unlink(entry, from: entries[Int(entry)].node)
    entries[Int(entry)].node = node
    link(entry, to: node)
  }

  mutating func setReservation(_ id: Int, until time: Double?) {
    guard let entry = entryOfID[id] else { return }
    entries[Int(entry)].reservedUntil = time
  }

  mutating func grow(_ id: Int, volume: Int, toBytes: Int64) {
    guard let entry = entryOfID[id] else { return }
    entries[Int(entry)].demand[volume].bytes = toBytes
    entries[Int(entry)].steps += 1
  }

  private mutating func link(_ entry: Int32, to node: Int) {
    positions[Int(entry)] = Int32(entriesOfNode[node].count)
    entriesOfNode[node].append(entry)
  }

  private mutating func unlink(_ entry: Int32, from node: Int) {
    let position = Int(positions[Int(entry)])
    let last = entriesOfNode[node].removeLast()
    guard last != entry else { return }
    entriesOfNode[node][position] = last
    positions[Int(last)] = Int32(position)
  }
}
