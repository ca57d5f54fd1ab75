import ArgumentParser
import Foundation
import JSONDocument

/// `nagaya status`: says whether Nagaya runs here, since when and where.
struct Status: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Say whether Nagaya runs on this machine, and where.",
    discussion: "Exits with 0 if everything is ready, with 3 if nothing runs, with 1 otherwise.")

  @OptionGroup var directories: DirectoryOptions

  @Option(name: [.long, .short], help: "Form of the output: text or json.")
  var output = "text"

  func run() async throws {
    let layout = directories.layout
    guard let pid = try InstanceLock.holder(layout) else {
      // A record that cannot be read says nothing about containers; `nagaya down` tells of it.
      showStopped(layout, hasContainers: (try? Down.hasContainers(layout)) ?? false)
      throw ExitCode(3)
    }
    // What another process left behind does not count: this one has only just begun.
    let record = Instance(reading: layout).flatMap { $0.pid == pid ? $0 : nil }
    let instance = record ?? Instance(pid: pid, phase: .starting)
    if output == "json" {
      Console.current.write(String(decoding: instance.json.encodedForReading(), as: UTF8.self))
    } else {
      Console.print(
        """
        Nagaya is \(instance.phase.rawValue) (process \(instance.pid), \(memory(of: instance.pid)))
          API         \(instance.publicAPI.map { "\(instance.api), from elsewhere \($0)" } ?? instance.api)
          Edge        https://<app>.<environment>.<tenant>… on \(instance.edge)
          Node        \(instance.nodeName)
          Kubeconfig  \(layout.kubeconfig)
          State       \(layout.state)
          Log         \(layout.log)
        """)
      for step in instance.steps { StartupProgress.show(step) }
      PartsTable(parts: instance.parts).show()
      if let failure = instance.failure { Console.print(failure) }
    }
    guard instance.phase == .ready else { throw ExitCode(1) }
  }

  private func showStopped(_ layout: Layout, hasContainers: Bool) {
    if output == "json" {
      Console.print(hasContainers ? #"{"phase":"stopped","containers":true}"# : #"{"phase":"stopped"}"#)
    } else if hasContainers {
      Console.print(
        """
        Nagaya does not run here, but its containers do (state: \(layout.state)).
        Take them up again with `nagaya up --detach`, or stop them with `nagaya down`.
        """)
    } else {
      Console.print("Nagaya does not run here (state: \(layout.state)). Start it with `nagaya up --detach`.")
    }
  }

  private func memory(of pid: Int32) -> String {
    ProcessFacts.memory(pid).map { "\($0) resident" } ?? "memory unknown"
  }
}
