/// How the parts are doing.
public struct SupervisionReport: Sendable, Hashable {
  public enum Phase: String, Sendable {
    /// Not everything has come up yet.
    case starting
    case ready
    /// Everything was up; something is being started again.
    case degraded
    case stopping
  }

  public var phase: Phase
  public var parts: [PartStatus]
  public var steps: [Step]
  /// Why the first start came to nothing.
  public var failure: String?

  /// Something that came up.
  public struct Step: Sendable, Hashable {
    public var name: String
    public var detail: String
    /// Since the supervisor began.
    public var milliseconds: Int
  }
}

/// How one part is doing.
public struct PartStatus: Sendable, Hashable {
  public enum State: String, Sendable {
    case pending, starting, ready, backingOff, stopping, stopped
  }

  public var name: String
  public var state: State
  /// `nil` while no process runs.
  public var pid: Int32?
  public var restarts: Int
  /// Seconds since 1970 at which the state began.
  public var since: Int64
  /// Seconds from `since` until it is started again.
  public var retrySeconds: Int?
  /// How its last process ended: `signal 9 (killed)`.
  public var lastEnd: String?
  /// The last lines of the process that ended.
  public var lastWords: [String]
  /// What it said of its failure.
  public var failure: String?
}
