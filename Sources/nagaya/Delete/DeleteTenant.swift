import ArgumentParser
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Tenancy

struct DeleteTenant: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tenant", abstract: "Take a tenant away, with its environments and everything in them.",
    discussion: """
      Refuses while apps or volumes are left, unless --with-apps is given.

      EXAMPLES
        nagaya delete tenant demo
        nagaya delete tenant demo --with-apps
      """, aliases: ["tenants"])

  @OptionGroup var client: ClientOptions

  @Argument(help: "The tenant.") var name: String

  @Flag(help: "Delete its apps and their volumes too.") var withApps = false

  @OptionGroup var waiting: WaitOptions

  func run() async throws {
    try await Session.open(client) { session in
      let tenant = try await session.client.get(.tenants, name: name)
      let contents = try await contents(session.client)
      guard contents.isEmpty || withApps else {
        let more = contents.count > 5 ? " and \(contents.count - 5) more" : ""
        throw CommandFailure(
          "tenant \(name) still has \(contents.prefix(5).joined(separator: ", "))\(more)",
          remedy: "delete them first, or delete everything with --with-apps")
      }
      if withApps {
        // Without it the tenant's controller waits until its namespaces are empty.
        try await session.client.patch(
          .tenants, name: name,
          ["metadata": ["annotations": [Tenant.confirmDeletionAnnotation: .string(name)]]])
      }
      try await session.client.delete(.tenants, name: name, uid: tenant.uid)
      Console.print("\(ListOutput.typeName(.tenants)) \"\(name)\" deleted")
      for item in contents { Console.note("  goes: \(item)") }
      guard waiting.wait else { return }
      try await DeletionWait.run(session.client, .tenants, name: name, uid: tenant.uid, limit: waiting.timeout) {
        $0.condition("Ready")?["message"].string.flatMap { $0.isEmpty ? nil : $0 }
      }
    }
  }

  /// Apps, and volumes that no app will take with it, in all namespaces of the tenant.
  private func contents(_ client: KubernetesClient) async throws -> [String] {
    let namespaces = try await client.list(.namespaces, labels: LabelSelector(matchLabels: [Tenant.label: name]))
    var contents: [String] = []
    for namespace in namespaces.items.map(\.name) {
      contents += try await client.list(.applications, namespace: namespace).items.map { "app \($0.key)" }
      contents += try await client.list(.persistentVolumeClaims, namespace: namespace).items
        .filter { $0.controller == nil }.map { "volume claim \($0.key)" }
    }
    return contents
  }
}
