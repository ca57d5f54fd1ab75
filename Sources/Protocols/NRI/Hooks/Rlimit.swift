/// A limit of the kernel on one process (getrlimit(2)).
public struct Rlimit: Sendable, Hashable {
  /// What is limited, by the kernel's name without `RLIMIT_`.
  public enum Kind: String, Sendable, Hashable, CaseIterable, Comparable {
    case addressSpace = "AS"
    case core = "CORE"
    case cpu = "CPU"
    case data = "DATA"
    case fileSize = "FSIZE"
    case locks = "LOCKS"
    case lockedMemory = "MEMLOCK"
    case messageQueues = "MSGQUEUE"
    case nice = "NICE"
    case openFiles = "NOFILE"
    case processes = "NPROC"
    case residentSet = "RSS"
    case realTimePriority = "RTPRIO"
    case realTime = "RTTIME"
    case pendingSignals = "SIGPENDING"
    case stack = "STACK"

    /// - Parameter text: in capital or small letters, with or without `RLIMIT_`.
    public init?(_ text: String) {
      let upper = text.uppercased()
      self.init(rawValue: upper.hasPrefix("RLIMIT_") ? String(upper.dropFirst("RLIMIT_".count)) : upper)
    }

    /// `RLIMIT_NOFILE`
    public var wireName: String { "RLIMIT_\(rawValue)" }

    public static func < (left: Kind, right: Kind) -> Bool { left.rawValue < right.rawValue }
  }

  /// No limit (`RLIM_INFINITY`).
  public static let unlimited = UInt64.max

  public let kind: Kind
  /// What holds; the process may raise it up to `hard`.
  public let soft: UInt64
  public let hard: UInt64

  public init(_ kind: Kind, soft: UInt64, hard: UInt64) {
    self.kind = kind
    self.soft = soft
    self.hard = hard
  }

  /// A value as people read it.
  public static func text(_ value: UInt64) -> String { value == unlimited ? "unlimited" : String(value) }
}
