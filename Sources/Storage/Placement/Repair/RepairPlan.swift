/// What has found no room.
public enum RepairNeed: Sendable, Hashable {
  /// A new demand that fits nowhere.
  case place(PlacementDemand)
  /// A volume of a placed demand that can't grow where it stands.
  case grow(id: Int, volume: Int, toBytes: Int64)
}

/// A demand moves, with all its volumes, from one node to another.
public struct Move: Sendable, Hashable {
  public var id: Int
  public var from: Int
  public var to: Int
  /// What is copied.
  public var bytes: Int64

  public init(id: Int, from: Int, to: Int, bytes: Int64) {
    self.id = id
    self.from = from
    self.to = to
    self.bytes = bytes
  }
}

/// Moves that make room, in the order in which they must be done; each fits when its turn comes.
public struct RepairPlan: Sendable, Hashable {
  public var moves: [Move]
  /// Where the demand then goes, or the volume grows.
  public var node: Int
  /// In the units of `RepairCost`.
  public var cost: Double

  public var movedBytes: Int64 { moves.reduce(0) { $0 + $1.bytes } }

  /// How long the owners of what moves stand still, in seconds, all together.
  public func downtimeSeconds(_ cost: RepairCost = RepairCost()) -> Double {
    moves.reduce(0) { $0 + cost.downtimeSeconds($1.bytes) }
  }

  public init(moves: [Move], node: Int, cost: Double) {
    self.moves = moves
    self.node = node
    self.cost = cost
  }
}

/// What a move costs: the bytes copied over the network, and the downtime of whoever uses the volumes meanwhile.
public struct RepairCost: Sendable, Hashable {
  /// Per byte copied; 1 makes the byte the unit.
  public var perByte: Double
  /// Per move, whatever its size: the switch-over, in which the demand's pod restarts.
  public var perMove: Double

  /// How fast volumes are copied, in bytes a second; the default is a network of 10 Gbit/s, well used.
  public var copyBytesPerSecond = 1e9
  /// How long the pod takes to stop and to start again beside the copy, in seconds.
  public var restartSeconds = 10.0

  public init(perByte: Double = 1, perMove: Double = Double(1 << 30)) {
    self.perByte = perByte
    self.perMove = perMove
  }

  /// How long the owner of so many bytes stands still while they move, in seconds: it stops, all is copied, it starts. A copy
  /// that runs while the pod works on makes it less.
  public func downtimeSeconds(_ bytes: Int64) -> Double { restartSeconds + Double(bytes) / copyBytesPerSecond }

  public func of(_ bytes: Int64) -> Double { perMove + perByte * Double(bytes) }
}
