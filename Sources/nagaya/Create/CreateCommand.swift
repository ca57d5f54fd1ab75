import ArgumentParser

struct Create: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Start an app, make a tenant, or let a user in.",
    discussion: """
      EXAMPLES
        nagaya create tenant demo --environment dev --environment prod
        nagaya create user alice -n demo-dev --output alice.kubeconfig
        nagaya create app hello -n demo-dev --image nagaya.local/hello:1 --port 8080
      """,
    subcommands: [CreateApp.self, CreateTenant.self, CreateUser.self])
}
