import ArgumentParser
@main struct Nagaya: AsyncParsableCommand { static let configuration = CommandConfiguration(commandName: "nagaya") }
