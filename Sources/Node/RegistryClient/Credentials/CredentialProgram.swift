import Subprocess

/// Runs a program that tells credentials: what it is asked goes in, what it answers comes out, both as short text.
///
/// What it answers is secret and is in no error; what it says on its error output is.
struct CredentialProgram: Sendable {
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// A path, or a name that is looked up in PATH.
  let program: String
  var arguments: [String] = []
  var environment: [String: String] = [:]
  var timeout = Duration.seconds(60)

  /// - Throws: `Failure`, `CancellationError`.
  func answer(to question: String) async throws -> String {
    try await withThrowingTaskGroup(of: String?.self) { group in
      group.addTask { try await run(question) }
      group.addTask {
        try await Task.sleep(for: timeout)
        return nil
      }
      defer { group.cancelAll() }
      guard let first = try await group.next(), let answer = first else {
        throw Failure(description: "\(program) did not answer within \(timeout.components.seconds) s")
      }
      return answer
    }
  }

  private func run(_ question: String) async throws -> String {
    var options = PlatformOptions()
    options.teardownSequence = [.gracefulShutDown(allowedDurationToNextStep: .seconds(1))]
    var variables = Environment.inherit
    for (name, value) in environment { variables = variables.updating([Environment.Key(stringLiteral: name): value]) }
    do {
      let result = try await Subprocess.run(
        program.contains("/") ? .path(.init(program)) : .name(program), arguments: Arguments(arguments),
        environment: variables, platformOptions: options, input: .string(question), output: .string(limit: 1 << 20),
        error: .string(limit: 64 << 10))
      guard case .exited(0) = result.terminationStatus else {
        // Docker's helpers say on their output that they know nothing, and give a status.
        let words = [result.standardOutput, result.standardError].joined(separator: " ")
        if words.contains("credentials not found") { return "" }
        let line = result.standardError.split(whereSeparator: \.isNewline).last ?? ""
        throw Failure(description: "\(program) failed (\(result.terminationStatus)): \(line.prefix(200))")
      }
      return result.standardOutput
    } catch let error as SubprocessError {
      try Task.checkCancellation()
      throw Failure(description: "\(program) could not be run: \(error)")
    }
  }
}
