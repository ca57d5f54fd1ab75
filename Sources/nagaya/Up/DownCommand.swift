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
    if !InstanceLock.isHeld(layout) {
      guard try Self.hasContainers(layout) else {
        print("Nagaya does not run here (state: \(layout.state)).")
        return
      }
      print("Nagaya was killed; starting it once more to take its containers down.")
      try await revive(layout)
    }
    guard let instance = Instance(reading: layout) else {
      throw CommandFailure("the record \(layout.instance) cannot be read", remedy: "end the nagaya process by hand")
    }
    try DrainRequest(layout).make()
    kill(instance.pid, SIGTERM)
    let began = ContinuousClock.now
    while InstanceLock.isHeld(layout) {
      guard ContinuousClock.now - began < .seconds(timeout) else {
        throw CommandFailure(
          "Nagaya (process \(instance.pid)) did not end within \(timeout) s",
          remedy: "see \(layout.log); a larger --timeout gives pods more time")
      }
      try await Task.sleep(for: .milliseconds(50))
    }
    print("Nagaya has stopped. Data is kept in \(layout.state); `nagaya up --detach` starts it again.")
  }

  /// Whether a containerd of this instance still runs.
  private static func hasContainers(_ layout: Layout) throws -> Bool {
    guard let options = SavedArguments(layout).read() else { return false }
    let engines = try PlatformOptions.parse(options.filter { $0 != "up" }).engines
    let engine = ContainerdEngine(
      layout: ContainerdLayout(
        stateDirectory: layout.state, runDirectory: layout.run, enginesDirectory: try Installation.engines(engines)),
      logger: Logger(label: "nagaya.down", factory: { _ in SwiftLogNoOpLogHandler() }))
    return engine.isRunning
  }

  private func revive(_ layout: Layout) async throws {
    guard let arguments = SavedArguments(layout).read() else { return }
    let process = try BackgroundProcess.start(arguments: arguments, log: layout.log)
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

/// A mark beside the lock: the next graceful stop takes the containers down, too.
struct DrainRequest: Sendable {
  private let path: String

  init(_ layout: Layout) { path = "\(layout.run)/drain" }

  var isMade: Bool { FileManager.default.fileExists(atPath: path) }
  func make() throws { try Data().write(to: URL(fileURLWithPath: path)) }
  func clear() { try? FileManager.default.removeItem(atPath: path) }
}

/// The arguments of the last `nagaya up`, so that the instance can be started the same way again.
struct SavedArguments: Sendable {
  private let path: String

  init(_ layout: Layout) { path = "\(layout.state)/arguments" }

  func write(_ arguments: [String]) throws {
    try Data(arguments.joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
  }

  func read() -> [String]? {
    FileManager.default.contents(atPath: path).map {
      String(decoding: $0, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }
  }
}
