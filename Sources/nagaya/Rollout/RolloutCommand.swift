import ArgumentParser

struct Rollout: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Follow or repeat the start of an app's copies.",
    discussion: """
      EXAMPLES
        nagaya rollout restart app hello -n demo-dev
        nagaya rollout status app hello -n demo-dev
      """, subcommands: [RolloutStatus.self, RolloutRestart.self])
}

struct RolloutStatus: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Wait until the newest version serves.", subcommands: [RolloutStatusApp.self])
}

struct RolloutRestart: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restart", abstract: "Replace every copy by a fresh one.", subcommands: [RolloutRestartApp.self])
}
