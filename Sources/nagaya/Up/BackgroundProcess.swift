import Foundation
import NodeAgent

/// Starts this binary again as a process of its own session, with its output in a log file.
enum BackgroundProcess {
  static func start(arguments: [String], log: String) throws -> DetachedProcess {
    do {
      return try DetachedProcess.start(
        Installation.executable, arguments, environment: ProcessInfo.processInfo.environment, output: log)
    } catch {
      throw CommandFailure("\(error)", remedy: "run `nagaya up` in the foreground to see more")
    }
  }
}
