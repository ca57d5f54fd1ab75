import Placement

/// Something that happens to a cluster at a moment.
public struct SimulationEvent: Sendable, Hashable {
  public enum Change: Sendable, Hashable {
    /// A request with a new id wants room for all its volumes on one node.
    case arrive(PlacementDemand)
    /// A request leaves with all its volumes.
    case delete
    /// One volume of a request wants to be larger; `volume` is its position in the demand.
    case grow(volume: Int, toBytes: Int64)
    /// A node (by index) is gone with all its volumes; those who had them get new ones elsewhere, as far as there is room.
    case nodeLost(Int)
    /// A node (by index) is back, empty where it had been lost.
    case nodeReturned(Int)
    /// A node (by index) takes nothing new, and its volumes are moved off as far as there is room.
    case drain(Int)
  }

  /// Seconds from the start of the history.
  public var time: Double
  /// The request; of no meaning for changes of nodes.
  public var id: Int
  public var change: Change

  public init(time: Double, id: Int = -1, change: Change) {
    self.time = time
    self.id = id
    self.change = change
  }
}

/// Events in the order of time, one after the other: a month of a large cluster is never held as a whole.
public protocol SimulationEventStream {
  /// The next event, or `nil` at the end. Times never go backwards.
  /// - Throws: what the source of the events throws, for example on a bad line of a file.
  mutating func next() throws -> SimulationEvent?
}

/// Where events come from: a recorded trace, or a description of a workload.
public protocol Workload: Sendable {
  /// The events from the start; the same for the same seed, whatever the policy does (common random numbers).
  /// A recorded trace has but one history and ignores the seed.
  func events(seed: UInt64) throws -> any SimulationEventStream
}

/// Events held in an array, for tests and for short histories.
public struct RecordedWorkload: Workload {
  public var events: [SimulationEvent]

  public init(_ events: [SimulationEvent]) { self.events = events }

  public func events(seed: UInt64) -> any SimulationEventStream { Stream(events: events) }

  private struct Stream: SimulationEventStream {
    let events: [SimulationEvent]
    var position = 0

    mutating func next() -> SimulationEvent? {
      guard position < events.count else { return nil }
      defer { position += 1 }
      return events[position]
    }
  }
}
