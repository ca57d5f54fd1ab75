/// Something that was learned about requests while they came and went.
public enum PlacementObservation: Sendable {
  /// A demand was made, whether or not it found room.
  case requested(PlacementDemand)
  /// A volume asked to grow, whether or not it could; `times` is how often it had grown before.
  case grew(deviceClass: Int, fromBytes: Int64, toBytes: Int64, times: Int)
  /// A volume ended its life; `times` is how often it had grown.
  case ended(deviceClass: Int, bytes: Int64, times: Int)
}

/// A rule that picks, among the nodes where a demand fits, the one it shall go to.
///
/// A policy is a value with whatever it caches or has learned. Whoever holds it tells it of every changed node
/// (`update`) and of what happens (`learn`); `PlacementEngine` does both.
public protocol PlacementPolicy: Sendable {
  /// The name in tables and figures, such as `most-free`.
  var name: String { get }

  /// The node that the demand shall go to, or `nil` where it fits nowhere. Never a node that does not fit.
  mutating func choose(_ demand: PlacementDemand, in state: PlacementState) -> Int?

  /// How good each fitting node is for this demand, best first. Never a node that does not fit.
  mutating func rank(_ demand: PlacementDemand, in state: PlacementState) -> [RankedPlacement]

  /// Forgets everything cached about nodes and looks at all of them anew.
  mutating func rebuild(from state: PlacementState)

  /// Looks anew at one node whose room has changed.
  mutating func update(node: Int, in state: PlacementState)

  /// Learns from what happened.
  mutating func learn(_ observation: PlacementObservation)
}

/// One place in a ranking.
public struct RankedPlacement: Sendable, Hashable {
  /// Index of the node in the state.
  public var node: Int
  /// The policy's own measure; smaller is better, and comparable only within one ranking.
  public var cost: Double

  public init(node: Int, cost: Double) {
    self.node = node
    self.cost = cost
  }
}

extension PlacementPolicy {
  public mutating func rebuild(from state: PlacementState) {}
  public mutating func update(node: Int, in state: PlacementState) {}
  public mutating func learn(_ observation: PlacementObservation) {}
}
