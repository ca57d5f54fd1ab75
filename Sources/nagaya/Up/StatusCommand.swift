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
    guard InstanceLock.isHeld(layout), let instance = Instance(reading: layout) else {
      if output == "json" {
        print(#"{"phase":"stopped"}"#)
      } else {
        print("Nagaya does not run here (state: \(layout.state)). Start it with `nagaya up --detach`.")
      }
      throw ExitCode(3)
    }
    if output == "json" {
      print(String(decoding: instance.json.encodedForReading(), as: UTF8.self), terminator: "")
    } else {
      print(
        """
        Nagaya is \(instance.phase.rawValue) (process \(instance.pid), \(memory(of: instance.pid)))
          API         \(instance.api)
          Edge        https://<app>.<namespace>… on \(instance.edge)
          Node        \(instance.nodeName)
          Kubeconfig  \(layout.kubeconfig)
          State       \(layout.state)
          Log         \(layout.log)
        """)
      for step in instance.steps { StartupProgress.show(step) }
      if let failure = instance.failure { print(failure) }
    }
    guard instance.phase == .ready else { throw ExitCode(1) }
  }

  private func memory(of pid: Int32) -> String {
    guard let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8),
      let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmRSS:") }),
      let kilobytes = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
    else { return "memory unknown" }
    return "\(kilobytes / 1024) MiB resident"
  }
}
