import ArgumentParser

struct Config: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show how this client reaches the platform.", subcommands: [ConfigView.self])
}
