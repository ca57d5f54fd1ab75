import JSONDocument
import KubernetesAPI
import Placement
import PlacementSimulator

/// Turns a described workload's document into values, and says where it is wrong.
struct WorkloadReader {
  let file: String
  private var classes = DeviceClassNames()

  init(file: String) { self.file = file }

  /// At most so many nodes and requests, so that a slip of the pen does not fill the memory.
  static let mostNodes = 100_000
  static let mostRequests = 1_000_000_000

  mutating func read(_ document: JSONValue) throws(TraceError) -> WorkloadFile {
    let root = WorkloadField(document, path: "", file: file)
    try root.allowOnly([
      "title", "nodes", "sizes", "lifetimes", "growth", "load", "arrivalsPerHour", "requests", "apps", "bursts",
      "events",
    ])
    let nodes = try nodes(root["nodes"])
    var kinds: [WorkloadDescription.Kind] = []
    for entry in try root["sizes"].list() { kinds.append(try kind(entry)) }
    guard kinds.contains(where: { $0.weight > 0 }) else {
      throw root["sizes"].error("at least one weight must be above 0")
    }
    let cluster = SimulatedCluster(deviceClasses: classes.names, nodes: nodes)
    let lifetimes = try root["lifetimes"].list().map { (field) throws(TraceError) in
      try field.allowOnly(["mean", "weight"])
      return WorkloadDescription.Lifetime(
        weight: try field["weight"].number(0...1e9, or: 1), meanSeconds: try field["mean"].seconds())
    }
    guard lifetimes.contains(where: { $0.weight > 0 }) else {
      throw root["lifetimes"].error("at least one weight must be above 0")
    }
    var workload = WorkloadDescription(
      kinds: kinds, lifetimes: lifetimes, growth: try growth(root["growth"]), arrivalRate: 0,
      requests: try root["requests"].whole(1...Self.mostRequests, or: 200_000),
      nodeChanges: try changes(root["events"], cluster))
    try apps(root["apps"], &workload)
    try bursts(root["bursts"], &workload)
    try checkSums(root, cluster, workload)
    let load = try rate(root, cluster, &workload)
    return WorkloadFile(title: try root["title"].text(or: file), cluster: cluster, workload: workload, load: load)
  }

  /// No sum that the simulator makes may overflow.
  private func checkSums(
    _ root: WorkloadField, _ cluster: SimulatedCluster, _ workload: WorkloadDescription
  ) throws(TraceError) {
    let most = Double(TraceColumns.largestSum)
    let capacity = cluster.nodes.flatMap(\.pools).reduce(0.0) { $0 + Double($1.capacityBytes) }
    guard capacity <= most else { throw root["nodes"].error("are more than 4 EiB together") }
    let largest = workload.kinds.map { $0.demand.volumes.reduce(0.0) { $0 + Double($1.bytes) } }.max() ?? 0
    let grown = largest * (workload.growth?.factor ?? 1)
    guard grown * Double(workload.requests) <= most else {
      throw root["requests"].error("with these sizes ask for more than 4 EiB together")
    }
  }

  private func rate(
    _ root: WorkloadField, _ cluster: SimulatedCluster, _ workload: inout WorkloadDescription
  ) throws(TraceError) -> Double? {
    if root["arrivalsPerHour"].isMissing {
      let load = try root["load"].number(0.001...10, or: 0.8)
      workload.setLoad(load, capacityBytes: cluster.capacityBytes)
      return load
    }
    guard root["load"].isMissing else { throw root["load"].error("give either load or arrivalsPerHour") }
    workload.arrivalRate = try root["arrivalsPerHour"].number(1e-9...1e12) / 3600
    return nil
  }

  private mutating func nodes(_ field: WorkloadField) throws(TraceError) -> [NodeDescription] {
    var nodes: [NodeDescription] = []
    for entry in try field.list() {
      try entry.allowOnly(["count", "name", "size", "pools", "cpu", "memory"])
      let count = try entry["count"].whole(1...Self.mostNodes, or: 1)
      guard nodes.count + count <= Self.mostNodes else { throw entry.error("more than \(Self.mostNodes) nodes") }
      let pools = try pools(entry)
      let milliCPU = entry["cpu"].isMissing ? Int64.max : try entry["cpu"].milli()
      let memory = entry["memory"].isMissing ? Int64.max : try entry["memory"].bytes()
      let prefix = try entry["name"].text(or: "node")
      for _ in 0..<count {
        let name = count == 1 && !entry["name"].isMissing ? prefix : "\(prefix)-\(nodes.count + 1)"
        nodes.append(NodeDescription(name: name, pools: pools, milliCPU: milliCPU, memoryBytes: memory))
      }
    }
    var names: Set<String> = []
    for node in nodes where !names.insert(node.name).inserted {
      throw field.error("two nodes are called \"\(node.name)\"")
    }
    return nodes
  }

  private mutating func pools(_ entry: WorkloadField) throws(TraceError) -> [PoolDescription] {
    if entry["pools"].isMissing {
      return [PoolDescription(deviceClasses: [classes.index(of: "")], capacityBytes: try entry["size"].bytes())]
    }
    guard entry["size"].isMissing else { throw entry["size"].error("give either size or pools") }
    var pools: [PoolDescription] = []
    var seen: Set<Int> = []
    for pool in try entry["pools"].list() {
      try pool.allowOnly(["class", "size", "largestVolume"])
      let deviceClass = classes.index(of: try pool["class"].text(or: ""))
      guard seen.insert(deviceClass).inserted else { throw pool["class"].error("the node has two pools of this class") }
      pools.append(
        PoolDescription(
          deviceClasses: [deviceClass], capacityBytes: try pool["size"].bytes(),
          largestVolumeBytes: pool["largestVolume"].isMissing ? .max : try pool["largestVolume"].bytes()))
    }
    return pools
  }

  private mutating func kind(_ field: WorkloadField) throws(TraceError) -> WorkloadDescription.Kind {
    try field.allowOnly(["size", "class", "volumes", "weight", "cpu", "memory"])
    var volumes: [VolumeRequest] = []
    if field["volumes"].isMissing {
      volumes = [try volume(field)]
    } else {
      guard field["size"].isMissing else { throw field["size"].error("give either size or volumes") }
      for entry in try field["volumes"].list() {
        try entry.allowOnly(["size", "class"])
        volumes.append(try volume(entry))
      }
    }
    return WorkloadDescription.Kind(
      weight: try field["weight"].number(0...1e9, or: 1),
      demand: PlacementDemand(
        volumes: volumes, milliCPU: field["cpu"].isMissing ? 0 : try field["cpu"].milli(),
        memoryBytes: field["memory"].isMissing ? 0 : try field["memory"].bytes()))
  }

  private mutating func volume(_ field: WorkloadField) throws(TraceError) -> VolumeRequest {
    let name = try field["class"].text(or: "default")
    guard classes.names.contains(name) else {
      throw field["class"].error(
        "no node has a pool of class \"\(name)\"; there are \(classes.names.joined(separator: ", "))")
    }
    return VolumeRequest(deviceClass: classes.index(of: name), bytes: try field["size"].bytes())
  }

  private func growth(_ field: WorkloadField) throws(TraceError) -> WorkloadDescription.Growth? {
    if field.isMissing { return nil }
    try field.allowOnly(["probability", "factor"])
    return WorkloadDescription.Growth(
      probability: try field["probability"].number(0...1), factor: try field["factor"].number(1...1000, or: 2))
  }

  private func apps(_ field: WorkloadField, _ workload: inout WorkloadDescription) throws(TraceError) {
    if field.isMissing { return }
    try field.allowOnly(["replicas"])
    workload.requestsPerApp = try field["replicas"].number(1...10_000)
  }

  private func bursts(_ field: WorkloadField, _ workload: inout WorkloadDescription) throws(TraceError) {
    if field.isMissing { return }
    try field.allowOnly(["factor", "share", "length"])
    workload.burstFactor = try field["factor"].number(1...10_000)
    workload.burstShare = try field["share"].number(0.0001...0.9)
    workload.burstSeconds = try field["length"].seconds(or: 3600)
  }

  private func changes(
    _ field: WorkloadField, _ cluster: SimulatedCluster
  ) throws(TraceError) -> [WorkloadDescription.NodeChange] {
    if field.isMissing { return [] }
    var changes: [WorkloadDescription.NodeChange] = []
    for entry in try field.list() {
      try entry.allowOnly(["at", "lose", "return", "drain"])
      let named = ["lose", "return", "drain"].filter { !entry[$0].isMissing }
      guard named.count == 1, let kind = named.first else { throw entry.error("name one of lose, return, drain") }
      let name = try entry[kind].text()
      guard let node = cluster.nodes.firstIndex(where: { $0.name == name }) else {
        throw entry[kind].error("there is no node \"\(name)\"")
      }
      let change: SimulationEvent.Change =
        kind == "lose" ? .nodeLost(node) : kind == "return" ? .nodeReturned(node) : .drain(node)
      changes.append(.init(time: try entry["at"].seconds(orZero: true), change: change))
    }
    return changes.sorted { $0.time < $1.time }
  }
}
