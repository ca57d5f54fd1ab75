import ArgumentParser

struct Get: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List objects, or look at one.",
    discussion: """
      EXAMPLES
        nagaya get apps -A                          every app you may see
        nagaya get app hello -n demo-dev -o yaml    one app, whole
        nagaya get pools                            how much space is left
        nagaya get apps -n demo-dev --watch         each change as it happens
      """,
    subcommands: [
      GetApps.self, GetPods.self, GetVolumes.self, GetSnapshots.self, GetEvents.self, GetNodes.self, GetPools.self,
      GetMoves.self,
      GetTenants.self,
      GetNamespaces.self, GetUsers.self,
    ])
}
