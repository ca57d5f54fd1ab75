/// Future events in the order of time; events of the same time leave in the order in which they came.
///
/// A binary heap: it holds what is still to come of the living requests, not the whole history.
public struct EventQueue: Sendable {
  private struct Entry {
    var event: SimulationEvent
    var order: UInt64
  }

  private var heap: [Entry] = []
  private var pushed: UInt64 = 0

  public init() {}

  public var count: Int { heap.count }
  /// The time of the next event.
  public var nextTime: Double? { heap.first?.event.time }

  public mutating func push(_ event: SimulationEvent) {
    heap.append(Entry(event: event, order: pushed))
    pushed += 1
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard precedes(child, parent) else { break }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  public mutating func pop() -> SimulationEvent? {
    guard let first = heap.first else { return nil }
    let last = heap.removeLast()
    guard !heap.isEmpty else { return first.event }
    heap[0] = last
    var parent = 0
    while true {
      var least = parent
      for child in (2 * parent + 1)..<(2 * parent + 3) where child < heap.count && precedes(child, least) {
        least = child
      }
      if least == parent { break }
      heap.swapAt(parent, least)
      parent = least
    }
    return first.event
  }

  private func precedes(_ left: Int, _ right: Int) -> Bool {
    let (a, b) = (heap[left], heap[right])
    return a.event.time < b.event.time || (a.event.time == b.event.time && a.order < b.order)
  }
}
