import ArgumentParser

struct Describe: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show one app, or one pod, with everything that belongs to it.",
    discussion: """
      EXAMPLES
        nagaya describe app hello -n demo-dev
        nagaya describe pod hello-5d4f8c7b9-x2x7q -n demo-dev
      """, subcommands: [DescribeApp.self, DescribePod.self])
}
