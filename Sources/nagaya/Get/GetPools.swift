import ArgumentParser
import KubernetesAPI

struct GetPools: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pools", abstract: "List pools: the disks that volumes are made of, with free space.",
    discussion: """
      EXAMPLES
        nagaya get pools
      """,
    aliases: ["pool", "volumepools", "volumepool"])

  @OptionGroup var options: ListOptions

  @Argument(help: "Only these.") var names: [String] = []

  func run() async throws {
    try await Session.open(options.client) { session in
      try await options.show(.volumePools, namespace: nil, names: names, session)
    }
  }
}
