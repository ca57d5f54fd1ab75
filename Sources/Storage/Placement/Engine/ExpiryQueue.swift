/// When reservations end: a binary heap by time, so that the next one is found without a look at the others.
///
/// Entries are not taken out when a reservation is confirmed or released early; they are recognised as stale when their
/// time comes, and swept out when they outnumber the real ones.
struct ExpiryQueue: Sendable {
  struct Entry: Sendable {
    var time: Double
    var id: Int
  }

  private var heap: [Entry] = []

  var count: Int { heap.count }

  mutating func push(_ entry: Entry) {
    heap.append(entry)
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard heap[child].time < heap[parent].time else { break }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  /// The earliest entry, if its time has come.
  mutating func pop(at time: Double) -> Entry? {
    guard let first = heap.first, first.time <= time else { return nil }
    let last = heap.removeLast()
    if !heap.isEmpty {
      heap[0] = last
      sink(0)
    }
    return first
  }

  /// Keeps what is still real.
  mutating func sweep(keeping isReal: (Entry) -> Bool) {
    heap = heap.filter(isReal)
    for parent in stride(from: heap.count / 2 - 1, through: 0, by: -1) { sink(parent) }
  }

  private mutating func sink(_ start: Int) {
    var parent = start
    while true {
      var least = parent
      for child in (2 * parent + 1)..<(2 * parent + 3) where child < heap.count && heap[child].time < heap[least].time {
        least = child
      }
      if least == parent { return }
      heap.swapAt(parent, least)
      parent = least
    }
  }
}
