import ArgumentParser
import Foundation
import LinuxSystem
import NodeAgent

/// `nagaya uninstall`: what is to be done before the program is taken off the machine.
struct Uninstall: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Take Nagaya off this machine: stop it with its containers; with --purge, remove its data too.",
    discussion: """
      Stops the instance as `nagaya down` does, and gives back what the kernel holds for it: mounts, control groups, \
      rules of the pods' network and its reservation. Data stays, and the next `nagaya up` finds it, unless --purge is given. \
      The program itself is removed by whom it came from; removing the Debian package runs this command before.

      EXAMPLES
        nagaya uninstall
        nagaya uninstall --purge --yes
        nagaya uninstall --purge --state-dir /srv/n --run-dir /run/n
      """)

  @OptionGroup var directories: DirectoryOptions

  @Flag(help: "Remove all data, too: objects, volumes, images, certificates, logs.")
  var purge = false

  @Flag(help: "Also every other instance that runs here; of all, those of this very program.")
  var all = false

  @Flag(name: [.long, .short], help: "Ask nothing.")
  var yes = false

  @Option(help: "Seconds to wait for pods to end.")
  var timeout = 90

  func run() async throws {
    guard geteuid() == 0 else {
      throw CommandFailure("nagaya uninstall stops containers and unmounts volumes", remedy: "run it as root")
    }
    let removals = try await layouts().map { try InstanceRemoval($0) }
    try confirm(removals)
    for removal in removals {
      _ = try await Down.stop(removal.layout, timeout: timeout)
      try await removal.giveBack(within: timeout)
      if purge { try await removal.removeData() }
      removal.removeRunDirectory()
      Console.print(
        purge
          ? "Nagaya's data in \(removal.layout.state) is removed."
          : "Nagaya does not run any more. Its data is kept in \(removal.layout.state).")
    }
  }

  /// The instance that is named, and with `--all` those that have a network of this machine.
  private func layouts() async throws -> [Layout] {
    let named = directories.layout
    guard all else { return [named] }
    let others = try await NetworkReservations().inUse().map { Layout(state: $0.state, run: $0.run) }
    return ([named] + others.filter { $0.state != named.state }).filter(InstanceRemoval.isOfThisProgram)
  }

  private func confirm(_ removals: [InstanceRemoval]) throws {
    for removal in removals {
      Console.print("Stopping Nagaya with its containers (state: \(removal.layout.state)).")
      if purge { for line in removal.dataSummary { Console.print("  \(line)") } }
    }
    guard !yes else { return }
    guard isatty(STDIN_FILENO) == 1, Console.current.isTerminal else {
      throw CommandFailure("nothing was changed: nobody is there to be asked", remedy: "say --yes")
    }
    Console.current.writeError(purge ? "Removed data is gone for good. Go on? [y/N] " : "Go on? [y/N] ")
    guard ["y", "yes"].contains(readLine()?.lowercased() ?? "") else {
      throw CommandFailure("nothing was changed", remedy: "")
    }
  }
}
