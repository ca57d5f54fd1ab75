/// What a node lets its pods take although nobody asked for a limit.
public struct NodeLimits: Sendable, Hashable {
  /// Processes and threads of one pod, all its containers together.
  public var podProcesses: Int
  /// Files and directories that a pod may make on the node's disk.
  public var podInodes: Int
  /// Where containers get their control groups: an absolute path below the root of the hierarchy.
  public var controlGroup: String

  public init(podProcesses: Int = 1024, podInodes: Int = 1_000_000, controlGroup: String = "/nagaya") {
    self.podProcesses = podProcesses
    self.podInodes = podInodes
    self.controlGroup = controlGroup
  }

  /// Controllers of control groups that this machine's kernel does not have, or does not mount: pods are not bounded there.
  public static func missingControllers() -> [String] { ControlGroup.missingControllers }

  /// Open files of one process of a container (`RLIMIT_NOFILE`).
  static let openFiles = 65_536
  /// The same, or less where this process itself may have no more.
  public static var mostOpenFiles: UInt64 { min(UInt64(openFiles), RuntimeSpecification.hardLimit) }
  /// Files of a run's log and their size; what is written between two looks comes on top (`LogWatch`).
  static let logFiles = 5
  static let logFileBytes: Int64 = 10 << 20
  /// What a container may log at once, and what it may log for ever. Who logs more is ended, and started again with the
  /// delays of a crash: a rotation alone would leave containerd and the disk at the mercy of one container.
  static let logBurstBytes: Int64 = 256 << 20
  static let logBytesPerSecond: Int64 = 8 << 20
}
