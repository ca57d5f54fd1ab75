import APIServer
import Foundation
import KubernetesAPI
import KubernetesClient
import Locking
import Testing

@testable import nagaya

/// What a command did.
struct CommandResult: Sendable {
  var code: Int32
  var out: String
  var error: String
}

/// Collects what a command writes.
final class Recorder: Sendable {
  private let texts = Mutex((out: "", error: ""))

  var console: Console {
    Console(
      write: { text in self.texts.withLock { $0.out += text } },
      writeError: { text in self.texts.withLock { $0.error += text } }, isTerminal: false, width: 80)
  }
  var out: String { texts.withLock { $0.out } }
  var error: String { texts.withLock { $0.error } }
}

/// Runs command lines, against a server in the same process if one is given.
struct CommandRunner: Sendable {
  var server: APIServer?

  func callAsFunction(_ arguments: String...) async -> CommandResult { await run(arguments) }

  func run(_ arguments: [String], recorder: Recorder = Recorder()) async -> CommandResult {
    let transport = server.map { InProcessTransport($0, as: .component("test")) }
    let code = await Session.$transportForTests.withValue(transport) {
      await Console.$current.withValue(recorder.console) { await Nagaya.run(arguments) }
    }
    return CommandResult(code: code, out: recorder.out, error: recorder.error)
  }
}

/// A directory that is gone afterwards.
func withTemporaryDirectory<Result>(_ body: (String) async throws -> Result) async throws -> Result {
  let path = FileManager.default.temporaryDirectory.appendingPathComponent("nagaya-command-\(UUID().uuidString)").path
  try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: path) }
  return try await body(path)
}
