import ArgumentParser
import JSONDocument
import KubernetesAPI
import KubernetesClient
import StorageControllers

struct DrainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "drain", abstract: "Empty a node of its volumes, data and all.",
    discussion: """
      EXAMPLES
        nagaya drain node node-1 --with-volumes --dry-run     what would move where
        nagaya drain node node-1 --with-volumes
        kubectl uncordon node-1                               lets it take new pods and volumes again
      """, subcommands: [DrainNode.self])
}

struct DrainNode: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "node", abstract: "Cordon a node and move all its volumes, and with them their pods, to others.",
    discussion: """
      Where each goes decides what places new volumes, too. Pods without volumes are kubectl drain's.

      EXAMPLES
        nagaya drain node node-1 --with-volumes --dry-run
        nagaya drain node node-1 --with-volumes --bytes-per-second 100M
      """)

  @OptionGroup var client: ClientOptions

  @Argument(help: "The node.") var name: String

  @Flag(help: "Move its volumes.") var withVolumes = false

  @Flag(help: "Only say what would move where.") var dryRun = false

  @Option(help: ArgumentHelp("How much is copied in a second at most, for each volume.", valueName: "quantity"))
  var bytesPerSecond: String?

  @Flag(inversion: .prefixedNo, help: "Wait until it is empty.") var wait = true

  @Option(help: ArgumentHelp("How long to wait.", valueName: "time")) var timeout = TimeSpan(seconds: 24 * 3600)

  func validate() throws {
    guard withVolumes else {
      throw ValidationError("this moves volumes: say --with-volumes. For pods without volumes use kubectl drain")
    }
  }

  func run() async throws {
    let limit = try bytesPerSecond.map { try Sizes.bytes($0, option: "--bytes-per-second", least: 1) }
    try await Session.open(client) { session in
      _ = try await session.client.get(.nodes, name: name)
      if !dryRun {
        try await session.client.patch(.nodes, name: name, ["spec": ["unschedulable": true]])
        Console.print("\(ListOutput.qualifiedName(name, of: .nodes)) cordoned")
      }
      let plan = try await plan(session.client)
      for step in plan.steps {
        Console.print("\(step.volume)  \(Quantity(bytes: step.bytes))  \(step.from) -> \(step.to)")
      }
      for (volume, reason) in plan.stuck.sorted(by: { $0.key < $1.key }) { Console.note("\(volume) stays: \(reason)") }
      if !dryRun {
        var names: [String] = []
        for step in plan.steps {
          names.append(
            try await VolumeMoves.create(
              session.client, volume: step.volume, to: step.to, bytesPerSecond: limit, reason: "node \(name) is drained"
            ).name)
        }
        if wait, !names.isEmpty { try await VolumeMoves.wait(session.client, names, limit: timeout) }
      }
      guard plan.stuck.isEmpty else {
        throw CommandFailure(
          "\(plan.stuck.count) of \(plan.stuck.count + plan.steps.count) volumes find no place elsewhere",
          remedy: "make room on other nodes, or ask the owners of claims that must not move")
      }
      if plan.steps.isEmpty { Console.print("node \(name) has no volumes") }
    }
  }

  private func plan(_ client: KubernetesClient) async throws -> (steps: [RoomPlan.Step], stuck: [String: String]) {
    let volumes = try await client.list(.persistentVolumes).items
    let world = RoomPlan.World(
      nodes: try await client.list(.nodes).items, pods: try await client.list(.pods).items, volumes: volumes,
      claims: try await client.list(.persistentVolumeClaims).items,
      classes: try await client.list(.storageClasses).items,
      capacities: try await client.list(.csiStorageCapacities).items)
    var plan = RoomPlan(world) { _, claim in claim?.annotations[VolumeMove.consent] != "never" }.drain(name)
    // What the plan leaves out has a reason of its own.
    for volume in volumes where volume.volumeNode(by: StorageAccess.nodeLabel) == name {
      guard !plan.steps.contains(where: { $0.volume == volume.name }), plan.stuck[volume.name] == nil else { continue }
      plan.stuck[volume.name] =
        volume.annotations[VolumeMove.annotation].map { "move \($0) has it already" }
        ?? "its claim says that it must not move, or a pod uses it that nothing would start again"
    }
    return plan
  }
}
