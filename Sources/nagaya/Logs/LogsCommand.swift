import ArgumentParser

struct Logs: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what an app's copies print.",
    discussion: """
      EXAMPLES
        nagaya logs app hello -n demo-dev
        nagaya logs app hello -n demo-dev -f --tail 20
        nagaya logs app hello -n demo-dev --previous      before the last restart
      """, subcommands: [LogsApp.self])
}
