import ArgumentParser
import Foundation

/// The root command. A new command is a file of its own and one line in one of the groups.
@main struct Nagaya: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "nagaya",
    abstract: "Run apps on your own machines: one command, one running app with an https endpoint.",
    discussion: """
      EXAMPLES
        nagaya create app hello -n demo-dev --image nagaya.local/hello:1 --port 8080 --volume data:/data:1Gi
        nagaya get apps -A
        nagaya logs app hello -n demo-dev -f
        nagaya scale app hello -n demo-dev --replicas 3
        nagaya delete app hello -n demo-dev

      Everything is an object of the Kubernetes API: kubectl works beside it, with the same kubeconfig.
      """,
    version: Version.text,
    subcommands: apps + platform + machine + tools)

  static let apps: [any ParsableCommand.Type] = [
    Create.self, Get.self, Describe.self, Logs.self, Scale.self, Rollout.self, Delete.self,
  ]
  static let platform: [any ParsableCommand.Type] = [Revoke.self, MoveCommand.self, DrainCommand.self]
  static let machine: [any ParsableCommand.Type] = [
    Up.self, Down.self, Uninstall.self, Status.self, Metrics.self, Doctor.self, Store.self, Serve.self, Image.self,
    Images.self,
    Hooks.self,
  ]
  static let tools: [any ParsableCommand.Type] = [
    Simulate.self, Advise.self, CustomResourcesCommand.self, Config.self, Completion.self, Version.self,
  ]

  static func main() async {
    if let code = LayerProcesses.run(CommandLine.arguments) { Foundation.exit(code) }
    Foundation.exit(await run(Array(CommandLine.arguments.dropFirst())))
  }

  /// Runs a command line and returns its exit code.
  static func run(_ arguments: [String]) async -> Int32 {
    do {
      var command = try parseAsRoot(arguments)
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
      return 0
    } catch is CancellationError {
      return 130  // as a shell says it of SIGINT
    } catch let failure as CommandFailure {
      Console.note("error: \(failure.what)")
      if !failure.remedy.isEmpty { Console.note(failure.remedy) }
      return failure.exitCode
    } catch {
      let code = exitCode(for: error)
      let text = fullMessage(for: error)
      if code == .success { Console.print(text) } else if !text.isEmpty { Console.note(text) }
      return code == .validationFailure ? CommandFailure.usage : code.rawValue
    }
  }

}
