import ArgumentParser
import KubernetesAPI

struct GetVolumes: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "volumes", abstract: "List volumes: claims with their size and state.",
    discussion: """
      EXAMPLES
        nagaya get volumes -A
        nagaya get volumes -n demo-dev
        nagaya get volumes -n demo-dev -o wide      with what each was made from
      """,
    aliases: ["volume", "pvc", "persistentvolumeclaims"])

  @OptionGroup var scope: ScopeOptions
  @OptionGroup var options: ListOptions

  @Argument(help: "Only these.") var names: [String] = []

  func run() async throws {
    try await Session.open(options.client) { session in
      try await options.show(.persistentVolumeClaims, namespace: scope.namespace(session), names: names, session)
    }
  }
}
