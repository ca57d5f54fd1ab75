import Glibc
import Subprocess

/// What another program said.
public struct CommandOutput: Sendable, Hashable {
  /// 0…255, or 128 + signal.
  public let exitCode: Int
  public let standardOutput: String
  public let standardError: String
}

/// Another program that could not do its work.
public enum CommandError: Error, Sendable, Hashable, CustomStringConvertible {
  /// It is not installed.
  case notFound(program: String)
  /// It could not be started or watched.
  case notStarted(program: String, reason: String)
  case failed(program: String, arguments: [String], exitCode: Int, errorTail: String)
  case timedOut(program: String, arguments: [String], after: Duration)

  public var description: String {
    switch self {
    case .notFound(let program): "\(program) is not installed"
    case .notStarted(let program, let reason): "\(program) could not be started: \(reason)"
    case .failed(let program, let arguments, let exitCode, let errorTail):
      "\(([program] + arguments).joined(separator: " ")): exit \(exitCode)\(errorTail.isEmpty ? "" : ": \(errorTail)")"
    case .timedOut(let program, let arguments, let after):
      "\(([program] + arguments).joined(separator: " ")): not done after \(after), ended"
    }
  }
}

/// Runs other programs to their end.
public enum Command {
  /// Bytes kept of each stream; a program that says more is ended.
  public static let outputLimit = 4 << 20

  /// Runs a program and throws unless it answers 0.
  /// - Parameters:
  ///   - program: a path, or a name that is looked up in PATH and the sbin directories.
  ///   - input: what it reads from its standard input; `nil`: nothing.
  ///   - timeout: then it gets SIGTERM, and SIGKILL two seconds later.
  /// - Throws: `CommandError`, or `CancellationError` when the task is cancelled (the program is ended too).
  @discardableResult
  public static func run(
    _ program: String, _ arguments: [String] = [], input: String? = nil, timeout: Duration = .seconds(120)
  ) async throws -> CommandOutput {
    let output = try await result(program, arguments, input: input, timeout: timeout)
    guard output.exitCode == 0 else {
      let text = output.standardError.isEmpty ? output.standardOutput : output.standardError
      throw CommandError.failed(
        program: program, arguments: arguments, exitCode: output.exitCode, errorTail: Self.tail(of: text))
    }
    return output
  }

  /// Runs a program and returns whatever it answers.
  public static func result(
    _ program: String, _ arguments: [String] = [], input: String? = nil, timeout: Duration = .seconds(120)
  ) async throws -> CommandOutput {
    try await withThrowingTaskGroup(of: CommandOutput?.self) { group in
      group.addTask {
        if let input { return try await start(program, arguments, .string(input)) }
        return try await start(program, arguments, .none)
      }
      group.addTask {
        try await Task.sleep(for: timeout)
        return nil
      }
      defer { group.cancelAll() }
      guard let first = try await group.next(), let output = first else {
        throw CommandError.timedOut(program: program, arguments: arguments, after: timeout)
      }
      return output
    }
  }

  private static func start(
    _ program: String, _ arguments: [String], _ input: some InputProtocol
  ) async throws -> CommandOutput {
    var options = PlatformOptions()
    options.teardownSequence = [.gracefulShutDown(allowedDurationToNextStep: .seconds(2))]
    let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
    do {
      let result = try await Subprocess.run(
        program.contains("/") ? .path(.init(program)) : .name(program), arguments: Arguments(arguments),
        environment: .inherit.updating(["PATH": "\(path):/usr/sbin:/sbin", "LC_ALL": "C"]),
        platformOptions: options, input: input, output: .string(limit: outputLimit), error: .string(limit: outputLimit))
      let code =
        switch result.terminationStatus {
        case .exited(let code): Int(code)
        case .signaled(let signal): 128 + Int(signal)
        }
      return CommandOutput(
        exitCode: code, standardOutput: result.standardOutput, standardError: result.standardError)
    } catch let error as SubprocessError {
      try Task.checkCancellation()
      if error.code == .executableNotFound { throw CommandError.notFound(program: program) }
      throw CommandError.notStarted(program: program, reason: "\(error)")
    }
  }

  /// The last lines of a program's words, at most 500 bytes, in one line.
  static func tail(of text: String) -> String {
    let lines = text.split(whereSeparator: \.isNewline).suffix(5).joined(separator: "; ")
    return String(lines.suffix(500))
  }
}
