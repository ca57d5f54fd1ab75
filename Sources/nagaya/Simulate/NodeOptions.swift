import ArgumentParser
import KubernetesAPI
import Placement
import PlacementSimulator

/// Which nodes a simulation runs on.
struct NodeOptions: ParsableArguments {
  @Option(name: .customLong("nodes"), help: ArgumentHelp("How many nodes.", valueName: "count"))
  var count: Int?

  @Option(help: ArgumentHelp("The size of each node's pool, such as 2Ti.", valueName: "size"))
  var nodeSize: QuantityArgument?

  @Option(help: ArgumentHelp("Cores of each node. Default: no limit.", valueName: "cores"))
  var nodeCpu: QuantityArgument?

  @Option(help: ArgumentHelp("Memory of each node. Default: no limit.", valueName: "size"))
  var nodeMemory: QuantityArgument?

  func validate() throws {
    guard count.map({ (1...100_000).contains($0) }) ?? true else {
      throw ValidationError("--nodes must be 1 to 100,000")
    }
    guard nodeSize.flatMap({ Quantity($0.text)?.value }).map({ $0 <= 1 << 50 }) ?? true else {
      throw ValidationError("--node-size must be at most 1 Pi")
    }
  }

  /// The cluster if one is described; every node has one pool, which all classes share.
  func cluster(deviceClasses: [String]) throws -> SimulatedCluster? {
    guard count != nil || nodeSize != nil else { return nil }
    return try required(deviceClasses: deviceClasses)
  }

  func required(deviceClasses: [String]) throws -> SimulatedCluster {
    guard let count, let size = nodeSize.flatMap({ Quantity($0.text) }) else {
      throw CommandFailure(
        "the nodes are not known", remedy: "say how many and how large they are: --nodes 20 --node-size 2Ti",
        exitCode: CommandFailure.usage)
    }
    let classes = deviceClasses.isEmpty ? ["default"] : deviceClasses
    let pool = PoolDescription(deviceClasses: Array(classes.indices), capacityBytes: size.value)
    let milliCPU = nodeCpu.flatMap { Quantity($0.text)?.milliValue } ?? .max
    let memory = nodeMemory.flatMap { Quantity($0.text)?.value } ?? .max
    return SimulatedCluster(
      deviceClasses: classes,
      nodes: (1...count).map {
        NodeDescription(name: "node-\($0)", pools: [pool], milliCPU: milliCPU, memoryBytes: memory)
      })
  }

  /// As they were given.
  var words: [String] {
    (count.map { ["--nodes", "\($0)"] } ?? []) + (nodeSize.map { ["--node-size", $0.text] } ?? [])
      + (nodeCpu.map { ["--node-cpu", $0.text] } ?? []) + (nodeMemory.map { ["--node-memory", $0.text] } ?? [])
  }
}
