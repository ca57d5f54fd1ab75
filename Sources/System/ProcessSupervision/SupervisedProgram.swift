/// A part of an instance: a program that is to run as long as the instance does.
public struct SupervisedProgram: Sendable, Hashable {
  /// Short and unique among the parts: `api`.
  public var name: String
  /// An absolute path.
  public var program: String
  public var arguments: [String]
  public var environment: [String: String]
  /// Names of parts that must have been ready once before this one begins.
  public var startsAfter: Set<String>
  /// How long it may take to end when it is asked to; then it is killed.
  public var stopLimit: Duration
  /// Written to `/proc/PID/oom_score_adj` if this process may: -1000 (spared) to 1000 (taken first). `nil`: as the supervisor.
  public var oomScoreAdjustment: Int?
  /// Sockets that it finds open, by their names (`InheritedSockets`).
  public var sockets: [Socket]

  /// A listening socket that whoever made it keeps open for as long as the supervisor runs.
  public struct Socket: Sendable, Hashable {
    /// Without colons.
    public var name: String
    public var descriptor: Int32

    public init(name: String, descriptor: Int32) {
      self.name = name
      self.descriptor = descriptor
    }
  }

  public init(
    name: String, program: String, arguments: [String], environment: [String: String] = [:],
    startsAfter: Set<String> = [], stopLimit: Duration = .seconds(10), oomScoreAdjustment: Int? = nil,
    sockets: [Socket] = []
  ) {
    self.name = name
    self.program = program
    self.arguments = arguments
    self.environment = environment
    self.startsAfter = startsAfter
    self.stopLimit = stopLimit
    self.oomScoreAdjustment = oomScoreAdjustment
    self.sockets = sockets
  }
}
