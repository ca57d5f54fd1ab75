import ArgumentParser
import Foundation
import JSONDocument
import KubernetesAPI

struct MoveCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "move", abstract: "Move a volume to another node.",
    discussion: """
      EXAMPLES
        nagaya move volume hello-data -n demo-dev --to node-2
        nagaya move volume hello-data -n demo-dev --to node-2 --bytes-per-second 50M --no-wait
        nagaya drain node node-1 --with-volumes
      """, subcommands: [MoveVolume.self])
}

struct MoveVolume: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "volume", abstract: "Move the volume of a claim to another node, with its data.",
    discussion: """
      It is copied while it is in use. Then its pods end, what has changed is copied, both sides compare checksums, and the pods \
      start on the other node. Until then all of it can be taken back: kubectl delete volumemove NAME.

      EXAMPLES
        nagaya move volume hello-data -n demo-dev --to node-2
      """)

  @OptionGroup var client: ClientOptions
  @OptionGroup var namespace: NamespaceOptions

  @Argument(help: "The claim.") var name: String

  @Option(help: "The node that it goes to.") var to: String

  @Option(help: ArgumentHelp("How much is copied in a second at most: 50M.", valueName: "quantity"))
  var bytesPerSecond: String?

  @Flag(inversion: .prefixedNo, help: "Wait until it is done.") var wait = true

  @Option(help: ArgumentHelp("How long to wait.", valueName: "time")) var timeout = TimeSpan(seconds: 3600)

  func run() async throws {
    let limit = try bytesPerSecond.map { try Sizes.bytes($0, option: "--bytes-per-second", least: 1) }
    try await Session.open(client) { session in
      let namespace = session.namespace(namespace)
      let claim = try await session.client.get(.persistentVolumeClaims, namespace: namespace, name: name)
      guard let volume = claim.spec["volumeName"].string, !volume.isEmpty else {
        throw CommandFailure(
          "claim \(name) has no volume yet", remedy: "it goes where its pod goes: nothing has to be moved")
      }
      let move = try await VolumeMoves.create(
        session.client, volume: volume, to: to, bytesPerSecond: limit, reason: "asked for by name")
      Console.print("\(ListOutput.qualifiedName(move.name, of: .volumeMoves)) created")
      guard wait else { return }
      try await VolumeMoves.wait(session.client, [move.name], limit: timeout)
      Console.print("\(name) is on node \(to)")
    }
  }
}
