/// What it costs at least to refuse the excess at some moments of a history.
struct CoverCost {
  private let stays: Stays
  private let room: BoundedRoom
  private let moments: [Int]
  /// By request: at how many of the moments it lives, and at how many it has grown.
  private var livesAt: [Int32]
  private var grownAt: [Int32]

  /// - Parameter moments: positions in the changes, ascending; the state after the change there is looked at.
  init(_ stays: Stays, _ room: BoundedRoom, moments: [Int]) {
    self.stays = stays
    self.room = room
    self.moments = moments
    livesAt = Array(repeating: 0, count: stays.requestCount)
    grownAt = livesAt
    // How many moments lie before: a life's moments are those before its end less those before its beginning.
    var passed: Int32 = 0
    var next = 0
    var unfinished: Set<Int> = []
    var grown: Set<Int> = []
    for (position, entry) in stays.changes.enumerated() {
      switch entry.change {
      case .arrive(let request):
        livesAt[request] = -passed
        unfinished.insert(request)
      case .grow(let request, _, _):
        if grown.insert(request).inserted { grownAt[request] = -passed }
      case .leave(let request):
        livesAt[request] += passed
        unfinished.remove(request)
        if grown.remove(request) != nil { grownAt[request] += passed }
      }
      if next < moments.count, moments[next] == position {
        passed += 1
        next += 1
      }
    }
    for request in unfinished { livesAt[request] += passed }
    for request in grown { grownAt[request] += passed }
  }

  /// Something that can be refused: what that gives back, and what it costs.
  private struct Item {
    var amount: Double
    var cost: Double
  }

  /// The sums over the moments, for what a refused request and a refused expansion cost.
  func sum(request: Double, expansion: Double) -> (l1: Double, l2: Double) {
    var sizes = stays.asked
    var more = [Int64](repeating: 0, count: sizes.count)
    var living: [Int] = []
    var place = [Int](repeating: -1, count: stays.requestCount)
    var total = (l1: 0.0, l2: 0.0)
    var next = 0
    for (position, entry) in stays.changes.enumerated() {
      switch entry.change {
      case .arrive(let who):
        place[who] = living.count
        living.append(who)
      case .grow(let who, let dimension, let by):
        sizes[who * stays.dimensions + dimension] += by
        more[who * stays.dimensions + dimension] += by
      case .leave(let who):
        let (hole, last) = (place[who], living.removeLast())
        place[who] = -1
        if last != who {
          living[hole] = last
          place[last] = hole
        }
      }
      guard next < moments.count, moments[next] == position else { continue }
      next += 1
      var most = (l1: 0.0, l2: 0.0)
      for dimension in 0..<stays.dimensions where room.whole[dimension].isFinite {
        let cost = cost(living, dimension, sizes, more, request, expansion)
        most = (max(most.l1, cost.l1), max(most.l2, cost.l2))
      }
      total = (total.l1 + most.l1, total.l2 + most.l2)
      if next == moments.count { break }
    }
    return total
  }

  private func cost(
    _ living: [Int], _ dimension: Int, _ sizes: [Int64], _ more: [Int64], _ request: Double, _ expansion: Double
  ) -> (l1: Double, l2: Double) {
    var sum = 0.0
    var largest: Int64 = 0
    for who in living {
      let size = sizes[who * stays.dimensions + dimension]
      sum += Double(size)
      largest = max(largest, size)
    }
    let excess = sum - room.whole[dimension]
    // Without a volume above half a node L2 is L1.
    let node = room.node[dimension].flatMap { largest > $0 / 2 ? $0 : nil }
    if excess <= 0, node == nil { return (0, 0) }
    var items: [Item] = []
    var bins: [Int64] = []
    for who in living {
      let size = sizes[who * stays.dimensions + dimension]
      guard size > 0 else { continue }
      bins.append(size)
      items.append(Item(amount: Double(size), cost: request / Double(max(1, livesAt[who]))))
      let grown = more[who * stays.dimensions + dimension]
      // To refuse the request and its growth as well gives back more than there is: the bound stays below.
      if grown > 0, expansion.isFinite {
        items.append(Item(amount: Double(grown), cost: expansion / Double(max(1, grownAt[who]))))
      } else if grown > 0 {
        items.append(Item(amount: Double(grown), cost: 0))
      }
    }
    let l1 = excess > 0 ? max(fractional(items, excess), fewest(items, Self.count(items, excess))) : 0
    guard let node else { return (l1, l1) }
    let refused = packed(bins, node)
    return (l1, max(l1, refused > 0 ? fewest(items, refused) : 0))
  }

  /// The knapsack relaxed to fractions: the most room for the cost first.
  private func fractional(_ items: [Item], _ excess: Double) -> Double {
    var (left, cost) = (excess, 0.0)
    for item in items.sorted(by: { $0.amount * $1.cost > $1.amount * $0.cost }) {
      if item.amount >= left { return cost + item.cost * left / item.amount }
      left -= item.amount
      cost += item.cost
    }
    return cost
  }

  /// How many must go at least: as if the largest went.
  private static func count(_ items: [Item], _ excess: Double) -> Int {
    var (left, count) = (excess, 0)
    for item in items.sorted(by: { $0.amount > $1.amount }) where left > 0 {
      left -= item.amount
      count += 1
    }
    return count
  }

  /// What so many refusals cost at least.
  private func fewest(_ items: [Item], _ count: Int) -> Double {
    items.map(\.cost).sorted().prefix(count).reduce(0, +)
  }

  /// How many must go at least until the rest may pack into the nodes by Martello and Toth's bound. If some so many can go,
  /// so many of the largest can: each of the rest then takes the place of one at least as large.
  private func packed(_ items: [Int64], _ node: Int64) -> Int {
    let sorted = items.sorted(by: >)
    var gone = 0
    while gone < sorted.count,
      MartelloToth.bound(sorted: sorted[gone...], capacity: node) > room.nodeCount
    { gone += 1 }
    return gone
  }
}
