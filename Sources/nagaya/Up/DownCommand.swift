import ArgumentParser
import Foundation
import Glibc
import Logging
import NodeAgent

/// `nagaya down`: stops Nagaya and everything that it runs; state stays.
struct Down: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Stop Nagaya on this machine, with its containers; data stays.",
    discussion: """
      Pods are stopped gracefully, volumes are unmounted, containerd ends. The next `nagaya up` starts them again. If \
      nagaya itself was killed while its containers go on, it is started once more to take them down.

      To stop only the nagaya process and let containers go on, send it SIGTERM.
      """)

  @OptionGroup var directories: DirectoryOptions

  @Option(help: "Seconds to wait for pods to end.")
  var timeout = 90

  func run() async throws {
    let layout = directories.layout
    if try InstanceLock.holder(layout) == nil {
      guard try Self.hasContainers(layout) else {
        Console.print("Nagaya does not run here (state: \(layout.state)).")
        return
      }
      Console.print("Nagaya was killed; starting it once more to take its containers down.")
      try await revive(layout)
    }
    guard let pid = try InstanceLock.holder(layout) else {
      throw CommandFailure("Nagaya ended by itself a moment ago", remedy: "run `nagaya down` again; see \(layout.log)")
    }
    try DrainRequest(layout).make()
    kill(pid, SIGTERM)
    let began = ContinuousClock.now
    while try InstanceLock.holder(layout) == pid {
      guard ContinuousClock.now - began < .seconds(timeout) else {
        throw CommandFailure(
          "Nagaya (process \(pid)) did not end within \(timeout) s",
          remedy: "see \(layout.log); a larger --timeout gives pods more time")
      }
      try await Task.sleep(for: .milliseconds(50))
    }
    Console.print("Nagaya has stopped. Data is kept in \(layout.state); `nagaya up --detach` starts it again.")
  }

  /// Whether a containerd of this instance still runs.
  static func hasContainers(_ layout: Layout) throws -> Bool {
    guard let options = try SavedArguments(layout).read() else { return false }
    let engine = ContainerdEngine(
      layout: ContainerdLayout(
        stateDirectory: layout.state, runDirectory: layout.run,
        enginesDirectory: try Installation.engines(options.engines)), network: try options.podNetwork(),
      logger: Logger(label: "nagaya.down", factory: { _ in SwiftLogNoOpLogHandler() }))
    return engine.isRunning
  }

  private func revive(_ layout: Layout) async throws {
    guard let options = try SavedArguments(layout).read() else { return }
    let process = try BackgroundProcess.start(arguments: ["up"] + options.arguments, log: layout.log)
    let deadline = ContinuousClock.now + .seconds(timeout)
    while ContinuousClock.now < deadline {
      if let instance = Instance(reading: layout), instance.pid == process.id {
        if instance.phase == .ready { return }
        if instance.phase == .failed {
          throw CommandFailure(instance.failure ?? "Nagaya did not start", remedy: "see \(layout.log)")
        }
      }
      guard process.isRunning else { break }
      try await Task.sleep(for: .milliseconds(25))
    }
    throw CommandFailure("Nagaya could not be started to take its containers down", remedy: "see \(layout.log)")
  }
}
