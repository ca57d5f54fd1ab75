import LinuxSystem

/// Makes pixels of drawings, by librsvg's converter.
public struct PNGConverter: Sendable {
  public enum Failure: Error, Sendable, Hashable, CustomStringConvertible {
    /// The program is not there.
    case notInstalled(program: String)
    case failed(file: String, reason: String)

    public var description: String {
      switch self {
      case .notInstalled(let program): "\(program), which makes PNG files, is not installed"
      case .failed(let file, let reason): "\(file) cannot be made into PNG: \(reason)"
      }
    }

    public var remedy: String {
      switch self {
      case .notInstalled: "install it (apt-get install librsvg2-bin), or leave PNG files out with --no-png"
      case .failed: "see the SVG file beside it; leave PNG files out with --no-png"
      }
    }
  }

  private let program: String

  public init(program: String = "rsvg-convert") { self.program = program }

  /// Writes `target` from the drawing `source`, twice as large as its user units, for sharp text.
  public func convert(_ source: String, to target: String) async throws {
    do {
      try await Command.run(program, ["--zoom", "2", "--format", "png", "--output", target, source])
    } catch let error as CommandError {
      if case .notFound = error { throw Failure.notInstalled(program: program) }
      throw Failure.failed(file: source, reason: "\(error)")
    }
  }
}
