import ArgumentParser
import LinuxSystem

/// `nagaya serve api`: started by `nagaya up`.
struct ServeAPI: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "api", abstract: "The API server of an instance.", shouldDisplay: false)

  @OptionGroup var options: PlatformOptions

  func run() async throws {
    let process = PartProcess(.api, options)
    try await process.run { try await APIPart(process: process, options: options).services() }
  }
}

/// `nagaya serve controllers`: started by `nagaya up`.
struct ServeControllers: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "controllers", abstract: "The controllers and the scheduler of an instance.", shouldDisplay: false)

  @OptionGroup var options: PlatformOptions

  func run() async throws {
    let process = PartProcess(.controllers, options)
    try await process.run { try ControllersPart(process: process, options: options).services() }
  }
}

/// `nagaya serve node`: started by `nagaya up`.
struct ServeNode: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "node", abstract: "The node agent and the containerd of an instance.", shouldDisplay: false)

  @OptionGroup var options: PlatformOptions

  func run() async throws {
    try await NodePart(process: PartProcess(.node, options), options: options).run()
  }
}

/// `nagaya serve node-hooks`: started by `nagaya up`.
struct ServeNodeHooks: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "node-hooks", abstract: "The hooks of an instance's containerd.", shouldDisplay: false)

  @OptionGroup var options: PlatformOptions

  func run() async throws {
    OwnMemory.keepSmall()
    let process = PartProcess(.hooks, options)
    try await process.run { try await HooksPart(process: process, options: options).services() }
  }
}

/// `nagaya serve edge`: started by `nagaya up`.
struct ServeEdge: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "edge", abstract: "The https edge of an instance.", shouldDisplay: false)

  @OptionGroup var options: PlatformOptions

  func run() async throws {
    let process = PartProcess(.edge, options)
    try await process.run { try await EdgePart(process: process, options: options).services() }
  }
}
