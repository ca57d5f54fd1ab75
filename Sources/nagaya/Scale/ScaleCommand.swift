import ArgumentParser

struct Scale: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Change how many copies run.",
    discussion: """
      EXAMPLES
        nagaya scale app hello -n demo-dev --replicas 3
      """, subcommands: [ScaleApp.self])
}
