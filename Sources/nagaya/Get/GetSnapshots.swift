import ArgumentParser
import KubernetesAPI

struct GetSnapshots: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "snapshots",
    abstract: "List snapshots of volumes: whether claims can be made from them, and of which size.",
    discussion: """
      EXAMPLES
        nagaya get snapshots -A
        nagaya get snapshots -n demo-dev
      """,
    aliases: ["snapshot", "vs", "volumesnapshots", "volumesnapshot"])

  @OptionGroup var scope: ScopeOptions
  @OptionGroup var options: ListOptions

  @Argument(help: "Only these.") var names: [String] = []

  func run() async throws {
    try await Session.open(options.client) { session in
      try await options.show(.volumeSnapshots, namespace: scope.namespace(session), names: names, session)
    }
  }
}
