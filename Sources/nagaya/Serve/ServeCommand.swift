import ArgumentParser

/// `nagaya serve`: one part of Nagaya by itself, for machines that have Kubernetes.
struct Serve: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run one part of Nagaya by itself, beside an existing cluster.",
    subcommands: [
      ServeImages.self, ServeHooks.self, ServeAPI.self, ServeControllers.self, ServeStorage.self,
      ServeStorageController.self, ServeSchedulerExtender.self, ServeNode.self, ServeNodeHooks.self,
      ServeEdge.self,
    ])
}
