import ArgumentParser
import Foundation
import Glibc
import NodeAgent

/// `nagaya down`: stops Nagaya and everything that it runs; state stays.
struct Down: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Stop Nagaya on this machine, with its containers; data stays.",
    discussion: """
      Pods are stopped gracefully, volumes are unmounted, containerd ends. The next `nagaya up` starts them again. If \
      nagaya itself was killed while its containers go on, this command takes them down by itself: nothing is started \
      that could fail to start, and no preStop hook runs.

      To stop only the nagaya process and let containers go on, send it SIGTERM.
      """)

  @OptionGroup var directories: DirectoryOptions

  @Option(help: "Seconds to wait for pods to end.")
  var timeout = 90

  func run() async throws {
    let layout = directories.layout
    switch try await Self.stop(layout, timeout: timeout) {
    case .notRunning: Console.print("Nagaya does not run here (state: \(layout.state)).")
    case .takenDown:
      Console.print("All is stopped. Data is kept in \(layout.state); `nagaya up --detach` starts it again.")
    case .stopped:
      Console.print("Nagaya has stopped. Data is kept in \(layout.state); `nagaya up --detach` starts it again.")
    }
  }

  /// What there was to stop.
  enum Outcome { case notRunning, takenDown, stopped }

  /// Stops an instance with its containers, or the containers that a killed one left.
  static func stop(_ layout: Layout, timeout: Int) async throws -> Outcome {
    guard let pid = try InstanceLock.holder(layout) else {
      guard try hasContainers(layout) else { return .notRunning }
      Console.print("Nagaya was killed; taking down what it left running.")
      try await DeadInstance(layout).takeDown(within: timeout)
      return .takenDown
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
    return .stopped
  }

  /// Whether containers of this instance still run, or something that they used is still mounted.
  static func hasContainers(_ layout: Layout) throws -> Bool {
    guard let options = try SavedArguments(layout).read() else { return false }
    let engine = ContainerdLayout(
      stateDirectory: layout.state, runDirectory: layout.run,
      enginesDirectory: try Installation.engines(options.engines))
    return EngineTakedown.isNeeded(engine, layout)
  }
}
