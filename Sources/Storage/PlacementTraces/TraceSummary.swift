/// What a history holds, found while it was checked.
public struct TraceSummary: Sendable, Hashable {
  /// Lines that were used.
  public var rows = 0
  /// Volumes that arrive, those alive at the start included.
  public var requests = 0
  /// Of them, alive at the start.
  public var initial = 0
  public var deletions = 0
  public var expansions = 0
  /// From the first to the last event, in seconds.
  public var seconds = 0.0
  public var largestBytes: Int64 = 0
  /// The most that was alive at one time, in bytes.
  public var peakBytes: Int64 = 0
  /// Names of device classes in the order in which they appear; one, `default`, where the history names none.
  public var deviceClasses: [String] = []
  /// Lines left out.
  public var warnings = TraceWarnings()

  public init() {}
}
