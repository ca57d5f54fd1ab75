import BoundedNumbers
public import KubernetesAPI
import Placement
import PodScheduler

/// Which volumes could move where, by the objects of the API: the picture that room Placement plans on.
///
/// What pods use together stands and moves together. Volumes that may not move, and what other pods compute with, count as taken.
public struct RoomPlan: Sendable {
  /// The cluster as it is.
  public struct World: Sendable {
    public var nodes: [KubernetesObject]
    public var pods: [KubernetesObject]
    public var volumes: [KubernetesObject]
    public var claims: [KubernetesObject]
    public var classes: [KubernetesObject]
    public var capacities: [KubernetesObject]

    public init(
      nodes: [KubernetesObject], pods: [KubernetesObject], volumes: [KubernetesObject], claims: [KubernetesObject],
      classes: [KubernetesObject], capacities: [KubernetesObject]
    ) {
      self.nodes = nodes
      self.pods = pods
      self.volumes = volumes
      self.claims = claims
      self.classes = classes
      self.capacities = capacities
    }
  }

  /// One volume's way.
  public struct Step: Sendable, Hashable {
    public var volume: String
    public var from: String
    public var to: String
    public var bytes: Int64
  }

  /// Volumes that move together, because a pod uses them together.
  private struct Group {
    var volumes: [KubernetesObject] = []
    var pods: [KubernetesObject] = []
    var node = 0
  }

  private var engine: PlacementEngine
  private let names: [String]
  private let nodes: [KubernetesObject]
  private let groups: [Int: Group]
  private let pools: [String: Int]

  /// - Parameter mayMove: whether policy and owner let a volume move.
  public init(_ world: World, mayMove: (KubernetesObject, _ claim: KubernetesObject?) -> Bool) {
    let claims = Dictionary(world.claims.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
    nodes = world.nodes.sorted { $0.name < $1.name }
    names = nodes.map(\.name)
    let positions = Dictionary(
      names.enumerated().map { ($0.element, $0.offset) }, uniquingKeysWith: { first, _ in first })
    let ours = world.classes.filter { $0["provisioner"].string == StorageAccess.driverName }
    let volumes = world.volumes.filter { $0.spec["csi"]["driver"].string == StorageAccess.driverName }
    let pools = Self.pools(ours, volumes)
    self.pools = pools

    // Groups of volumes that pods use together.
    var groups = Self.groups(volumes, world.pods, positions)
    groups = groups.filter { _, group in
      group.volumes.allSatisfy { volume in
        volume.annotations[VolumeMove.annotation] == nil
          && volume.claimKey.flatMap({ claims[$0] }).map(Self.isEphemeral) != true
          && mayMove(volume, volume.claimKey.flatMap { claims[$0] }) && !volume.isBeingDeleted
      } && group.pods.allSatisfy { !$0.isBeingDeleted && $0.controller != nil }
        && group.volumes.count <= Self.maximumVolumes
    }
    self.groups = groups

    let described = Self.describe(world, nodes, groups, pools, ours)
    engine = PlacementEngine(
      nodes: described, classCount: pools.count, policy: StandardPolicy.standard.make(classCount: pools.count))
    for (id, group) in groups.sorted(by: { $0.key < $1.key }) {
      let demand = Self.demand(group, pools)
      engine.learn(.requested(demand))
      // A node that has given more than it has is left as it is.
      try? engine.place(demand, id: id, on: group.node)
    }
    for (index, node) in nodes.enumerated() where !Self.takesPods(node) { engine.setAvailable(false, node: index) }
  }

  /// A claim that goes when its pod ends.
  static func isEphemeral(_ claim: KubernetesObject) -> Bool {
    claim.metadata["ownerReferences"].elements.contains { $0["kind"].string == "Pod" }
  }

  // MARK: Plans

  /// The next steps of the cheapest way to make room for new volumes of a pod, which move at the same time; empty where there is no
  /// way, or none is needed.
  /// - Parameter sizes: bytes of the volumes, each with its class.
  public mutating func room(
    for pod: KubernetesObject, sizes: [(storageClass: KubernetesObject, bytes: Int64)], maximumMoves: Int = 2
  ) -> [Step] {
    guard sizes.count <= Self.maximumVolumes else { return [] }
    let compute = PodFit.compute(of: pod)
    var volumes: [VolumeRequest] = []
    for (storageClass, bytes) in sizes {
      guard let index = pools[Self.pool(of: storageClass)] else { return [] }
      volumes.append(VolumeRequest(deviceClass: index, bytes: Self.bounded(bytes)))
    }
    let demand = PlacementDemand(
      volumes: volumes, milliCPU: Self.bounded(compute.milliCPU), memoryBytes: Self.bounded(compute.memoryBytes))
    // Where the pod may not run, room is of no use to it. Nor does anything move there to make some: seldom a loss.
    let closed = nodes.indices.filter { engine.state.isAvailable($0) && !PodFit.mayRun(pod, on: nodes[$0]) }
    guard nodes.indices.allSatisfy({ closed.contains($0) || !engine.state.fits(demand, on: $0) }) else { return [] }
    var open = engine
    for node in closed { open.setAvailable(false, node: node) }
    let planner = RepairPlanner()
    while let plan = planner.plan(for: .place(demand), maximumMoves: maximumMoves, in: &open) {
      guard let move = plan.moves.first(where: { !isPossible($0) }) else { return plan.moves.first.map(steps) ?? [] }
      // One whose pods may not run where it would go stays where it is.
      guard let allocation = try? open.release(move.id),
        (try? open.hold(allocation.demand, id: -1 - move.id, on: allocation.node)) != nil
      else { return [] }
    }
    return []
  }

  /// All steps that empty a node, in an order in which they can be made, and the volumes that find no place, with why.
  public func drain(_ name: String) -> (steps: [Step], stuck: [String: String]) {
    guard let node = names.firstIndex(of: name) else { return ([], [:]) }
    let plan = RepairPlanner().drain(node, maximumMoves: 0, in: engine)
    var steps: [Step] = []
    var stuck: [String: String] = [:]
    for move in plan.moves {
      if isPossible(move) {
        steps += self.steps(move)
      } else {
        for volume in groups[move.id]?.volumes ?? [] {
          stuck[volume.name] = "its pods may not run on node \(names[move.to])"
        }
      }
    }
    for id in plan.stuck {
      for volume in groups[id]?.volumes ?? [] { stuck[volume.name] = "no other node has room for it" }
    }
    return (steps, stuck)
  }

  private func isPossible(_ move: Move) -> Bool {
    guard let group = groups[move.id] else { return false }
    return group.pods.allSatisfy { PodFit.mayRun($0, on: nodes[move.to]) }
  }

  private func steps(_ move: Move) -> [Step] {
    (groups[move.id]?.volumes ?? []).map {
      Step(volume: $0.name, from: names[move.from], to: names[move.to], bytes: $0.volumeCapacity?.value ?? 0)
    }
  }

  // MARK: The picture

  /// Room Placement adds up what it is given: so many numbers of that size stay far below what overflows.
  private static let maximumVolumes = 256
  private static func bounded(_ value: Int64) -> Int64 { min(max(0, value), 1 << 50) }

  private static func pool(of storageClass: KubernetesObject) -> String {
    storageClass["parameters"].strings[VolumeParameters.pool] ?? "default"
  }

  private static func pool(ofVolume volume: KubernetesObject) -> String {
    volume.spec["csi"]["volumeAttributes"][VolumeParameters.pool].string ?? "default"
  }

  private static func pools(_ classes: [KubernetesObject], _ volumes: [KubernetesObject]) -> [String: Int] {
    let names = Set(classes.map(pool(of:)) + volumes.map(pool(ofVolume:))).sorted()
    return Dictionary(names.enumerated().map { ($0.element, $0.offset) }, uniquingKeysWith: { first, _ in first })
  }

  private static func takesPods(_ node: KubernetesObject) -> Bool {
    node.spec["unschedulable"].bool != true && node.isConditionTrue("Ready") && !node.isBeingDeleted
  }

  private static func demand(_ group: Group, _ pools: [String: Int]) -> PlacementDemand {
    let compute = group.pods.map(PodFit.compute(of:))
    return PlacementDemand(
      volumes: group.volumes.map {
        VolumeRequest(deviceClass: pools[pool(ofVolume: $0)] ?? 0, bytes: bounded($0.volumeCapacity?.value ?? 0))
      }, milliCPU: bounded(compute.map(\.milliCPU).clampedSum()),
      memoryBytes: bounded(compute.map(\.memoryBytes).clampedSum()))
  }

  private static func groups(
    _ volumes: [KubernetesObject], _ pods: [KubernetesObject], _ positions: [String: Int]
  ) -> [Int: Group] {
    let byClaim = Dictionary(
      volumes.compactMap { volume in volume.claimKey.map { ($0, volume.name) } },
      uniquingKeysWith: { first, _ in first })
    // Each volume belongs to the group of the first volume that a pod uses beside it.
    var leader: [String: String] = [:]
    func found(_ name: String) -> String {
      var name = name
      while let next = leader[name], next != name { name = next }
      return name
    }
    var users: [(KubernetesObject, [String])] = []
    for pod in pods where !pod.isPodEnded {
      let used = pod.claimKeys.compactMap { byClaim[$0] }
      guard let first = used.first else { continue }
      users.append((pod, used))
      for name in used.dropFirst() where found(name) != found(first) { leader[found(name)] = found(first) }
    }
    var groups: [String: Group] = [:]
    for volume in volumes.sorted(by: { $0.name < $1.name }) {
      guard let node = volume.volumeNode(by: StorageAccess.nodeLabel).flatMap({ positions[$0] }) else { continue }
      groups[found(volume.name), default: Group(node: node)].volumes.append(volume)
    }
    for (pod, used) in users { groups[found(used[0])]?.pods.append(pod) }
    return Dictionary(
      groups.sorted { $0.key < $1.key }.enumerated().map { ($0.offset, $0.element.value) },
      uniquingKeysWith: { first, _ in first })
  }

  /// Nodes with what they would have if nothing stood on them that may move.
  private static func describe(
    _ world: World, _ nodes: [KubernetesObject], _ groups: [Int: Group], _ pools: [String: Int],
    _ classes: [KubernetesObject]
  ) -> [NodeDescription] {
    let byName = Dictionary(classes.map { ($0.name, pool(of: $0)) }, uniquingKeysWith: { first, _ in first })
    var free: [String: [String: Int64]] = [:]
    for capacity in world.capacities {
      guard let pool = byName[capacity["storageClassName"].string ?? ""],
        let node = capacity["nodeTopology"]["matchLabels"][StorageAccess.nodeLabel].string,
        let bytes = capacity["capacity"].string.flatMap(Quantity.init)?.value
      else { continue }
      free[node, default: [:]][pool] = min(bytes, free[node]?[pool] ?? .max)
    }
    let moving = Set(groups.values.flatMap(\.pods).map(\.uid))
    var computing: [String: (milliCPU: Int64, memoryBytes: Int64)] = [:]
    for pod in world.pods where !pod.isPodEnded && !moving.contains(pod.uid) {
      guard let node = pod.spec["nodeName"].string, !node.isEmpty else { continue }
      let taken = PodFit.compute(of: pod)
      let before = computing[node] ?? (0, 0)
      computing[node] = (
        before.milliCPU.clampedAdding(taken.milliCPU), before.memoryBytes.clampedAdding(taken.memoryBytes)
      )
    }
    return nodes.enumerated().map { index, node in
      var described: [PoolDescription] = []
      for (pool, number) in pools.sorted(by: { $0.value < $1.value }) {
        guard let bytes = free[node.name]?[pool] else { continue }
        let standing = groups.values.filter { $0.node == index }.flatMap(\.volumes)
          .filter { Self.pool(ofVolume: $0) == pool }.map { bounded($0.volumeCapacity?.value ?? 0) }.clampedSum()
        described.append(
          PoolDescription(deviceClasses: [number], capacityBytes: min(1 << 60, bounded(bytes).clampedAdding(standing))))
      }
      let all = PodFit.compute(ofNode: node)
      let taken = computing[node.name] ?? (0, 0)
      return NodeDescription(
        name: node.name, pools: described, milliCPU: bounded(all.milliCPU.clampedSubtracting(taken.milliCPU)),
        memoryBytes: bounded(all.memoryBytes.clampedSubtracting(taken.memoryBytes)))
    }
  }
}
