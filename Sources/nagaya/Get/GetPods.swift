import ArgumentParser
import KubernetesAPI

struct GetPods: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pods", abstract: "List pods: the running copies of apps.",
    discussion: """
      EXAMPLES
        nagaya get pods -A
        nagaya get pods -n demo-dev -o wide
      """,
    aliases: ["pod", "po"])

  @OptionGroup var scope: ScopeOptions
  @OptionGroup var options: ListOptions

  @Argument(help: "Only these.") var names: [String] = []

  func run() async throws {
    try await Session.open(options.client) { session in
      try await options.show(.pods, namespace: scope.namespace(session), names: names, session)
    }
  }
}
