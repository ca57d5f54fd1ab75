import ArgumentParser

struct Delete: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Take an app or a tenant away.",
    discussion: """
      EXAMPLES
        nagaya delete app hello -n demo-dev
        nagaya delete app hello web -n demo-dev --keep-volumes
      """, subcommands: [DeleteApp.self, DeleteTenant.self])
}
