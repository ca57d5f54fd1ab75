import Subprocess

/// Runs real commands and keeps what they said.
public struct Shell: Sendable {
  /// Added to the process' own environment.
  public var environment: [String: String]

  public init(environment: [String: String] = [:]) { self.environment = environment }

  /// What a command did.
  public struct Output: Error, Sendable, CustomStringConvertible {
    public let command: String
    public let status: Int32
    public let out: String
    public let error: String

    public var succeeded: Bool { status == 0 }
    public var description: String { "$ \(command)\n\(out)\(error)[status \(status)]" }
  }

  /// Runs a command line of bash; its output is bounded to 16 MiB, its time to `seconds`.
  @discardableResult
  public func callAsFunction(_ command: String, seconds: Int = 60) async throws -> Output {
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
  /// - Throws: its `Output` if it failed.
  @discardableResult
  public func succeed(_ command: String, seconds: Int = 60) async throws -> String {
    let output = try await self(command, seconds: seconds)
    guard output.succeeded else { throw output }
    return output.out
  }

  /// Runs a command that must fail and returns what it said, on both outputs.
  /// - Throws: its `Output` if it succeeded.
  @discardableResult
  public func fail(_ command: String, seconds: Int = 60) async throws -> String {
    let output = try await self(command, seconds: seconds)
    guard !output.succeeded else { throw output }
    return output.out + output.error
  }
}
