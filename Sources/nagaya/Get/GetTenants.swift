import ArgumentParser
import KubernetesAPI

struct GetTenants: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tenants", abstract: "List tenants: teams with their environments.",
    discussion: """
      EXAMPLES
        nagaya get tenants
        nagaya get tenants demo -o yaml
      """,
    aliases: ["tenant"])

  @OptionGroup var options: ListOptions

  @Argument(help: "Only these.") var names: [String] = []

  func run() async throws {
    try await Session.open(options.client) { session in
      try await options.show(.tenants, namespace: nil, names: names, session)
    }
  }
}
