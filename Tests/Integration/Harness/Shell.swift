import Foundation
import Subprocess
import Testing

#if canImport(System)
  import System
#else
  import SystemPackage
#endif

/// Runs real commands and keeps what they said.
struct Shell: Sendable {
  /// Added to the test's own environment.
  var environment: [String: String] = [:]

  struct Output: Sendable, CustomStringConvertible {
    let command: String
    let status: Int32
    let out: String
    let error: String

    var succeeded: Bool { status == 0 }
    var description: String { "$ \(command)\n\(out)\(error)[status \(status)]" }
  }

  /// Runs a command line of bash; its output is bounded to 16 MiB, its time to `seconds`.
  @discardableResult
  func callAsFunction(_ command: String, seconds: Int = 60) async throws -> Output {
    var variables = Environment.inherit
    for (name, value) in environment { variables = variables.updating([Environment.Key(stringLiteral: name): value]) }
    let result = try await Subprocess.run(
      .path("/usr/bin/timeout"), arguments: ["-k", "5", String(seconds), "/bin/bash", "-c", command],
      environment: variables, output: .string(limit: 16 << 20), error: .string(limit: 16 << 20))
    let status: Int32 =
      switch result.terminationStatus {
      case .exited(let code): Int32(code)
      case .signaled(let signal): 128 + Int32(signal)
      }
    return Output(command: command, status: status, out: result.standardOutput, error: result.standardError)
  }

  /// Runs a command that must succeed and returns what it printed.
  @discardableResult
  func succeed(_ command: String, seconds: Int = 60, sourceLocation: SourceLocation = #_sourceLocation) async throws
    -> String
  {
    let output = try await self(command, seconds: seconds)
    try #require(output.succeeded, "\(output)", sourceLocation: sourceLocation)
    return output.out
  }

  /// Runs a command that must fail and returns what it said, on both outputs.
  @discardableResult
  func fail(_ command: String, seconds: Int = 60, sourceLocation: SourceLocation = #_sourceLocation) async throws
    -> String
  {
    let output = try await self(command, seconds: seconds)
    try #require(!output.succeeded, "\(output)", sourceLocation: sourceLocation)
    return output.out + output.error
  }
}

/// Waits until a condition holds; fails with `what` if it does not in time.
func eventually(
  _ what: String, seconds: Int = 60, sourceLocation: SourceLocation = #_sourceLocation,
  _ condition: () async throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + .seconds(seconds)
  while ContinuousClock.now < deadline {
    if try await condition() { return }
    try await Task.sleep(for: .milliseconds(100))
  }
  Issue.record("not within \(seconds) s: \(what)", sourceLocation: sourceLocation)
}
