import ArgumentParser
import KubernetesAPI

struct DeleteTenant: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tenant", abstract: "Take a tenant away, with its environments and everything in them.",
    discussion: """
      Refuses while apps are left, unless --with-apps is given.

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
      var apps: [String] = []
      for environment in tenant.spec["environments"].elements.compactMap(\.string) {
        let list = try await session.client.list(.applications, namespace: "\(name)-\(environment)")
        apps += list.items.map(\.key.description)
      }
      guard apps.isEmpty || withApps else {
        throw CommandFailure(
          "tenant \(name) still has \(apps.count == 1 ? "the app" : "\(apps.count) apps:") \(apps.prefix(5).joined(separator: ", "))",
          remedy: "delete them first, or delete everything with --with-apps")
      }
      try await session.client.delete(.tenants, name: name, uid: tenant.uid)
      Console.print("\(ListOutput.typeName(.tenants)) \"\(name)\" deleted")
      for app in apps { Console.note("  goes: app \(app)") }
      guard waiting.wait else { return }
      try await DeletionWait.run(session.client, .tenants, name: name, uid: tenant.uid, limit: waiting.timeout)
    }
  }
}
