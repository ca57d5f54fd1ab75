/// What an administrator wants of containers on nodes (`nagaya.dev/v1alpha1`, `NodePolicy`): defaults, the most that pods may
/// ask for, and what is injected.
///
/// All policies that match a container are asked in their order; of each aspect the first that says something of it counts.
public struct NodePolicy: Sendable, Hashable {
  /// The kernel's limits of processes, without `RLIMIT_`.
  public static let ulimitNames: Set<String> = [
    "AS", "CORE", "CPU", "DATA", "FSIZE", "LOCKS", "MEMLOCK", "MSGQUEUE", "NICE", "NOFILE", "NPROC", "RSS", "RTPRIO",
    "RTTIME", "SIGPENDING", "STACK",
  ]
  /// `unlimited` as a number.
  public static let unlimited = UInt64.max
  public static let standardOrder = 1000

  public var name: String
  /// Lower ones first, then by name.
  public var order = standardOrder
  /// Says what would be, and changes nothing.
  public var isAudit = false
  public var match = Match()
  /// Whether a container that asks for something wrong is made; `nil`: as the next policy says.
  public var failsContainer: Bool?
  public var ulimits: [Ulimit] = []
  /// Bytes.
  public var memoryMost: Int64?
  /// Thousandths of a processor.
  public var cpuMostMilli: Int64?
  public var pids: Int64?
  public var pidsMost: Int64?
  public var oomScore: Int64?
  public var oomScoreLeast: Int64?
  public var environment: [Variable] = []
  public var mounts: [HostMount] = []
  public var volumeLimits: [VolumeLimit] = []

  public init(name: String) { self.name = name }

  /// Which containers a policy is for; an empty list asks nothing.
  public struct Match: Sendable, Hashable {
    public var tenants: Set<String> = []
    /// Names, or beginnings of names with a star behind them.
    public var namespaces: [String] = []
    /// Labels are the pod's author's: they are no way to keep a bound.
    public var pods = LabelSelector()
    public var containers: Set<String> = []

    public init() {}

    /// Whether nothing but the tenant speaks against it.
    public func matches(namespace: String, labels: [String: String], container: String) -> Bool {
      (containers.isEmpty || containers.contains(container))
        && (namespaces.isEmpty || namespaces.contains { Self.matches($0, namespace) }) && pods.matches(labels)
    }

    private static func matches(_ pattern: String, _ namespace: String) -> Bool {
      pattern.hasSuffix("*") ? namespace.hasPrefix(pattern.dropLast()) : pattern == namespace
    }
  }

  /// A limit of processes.
  public struct Ulimit: Sendable, Hashable {
    /// One of `ulimitNames`.
    public var type: String
    /// What holds without an annotation; `nil`: what the runtime gives.
    public var soft: UInt64?
    public var hard: UInt64?
    /// The most that an annotation may ask for.
    public var most: UInt64?

    public init(type: String, soft: UInt64?, hard: UInt64?, most: UInt64?) {
      self.type = type
      self.soft = soft
      self.hard = hard
      self.most = most
    }
  }

  /// When something is injected.
  public enum Injection: String, Sendable, Hashable, CaseIterable {
    case always = "Always"
    /// If an annotation of the pod names it.
    case asked = "Asked"
  }

  public struct Variable: Sendable, Hashable {
    public var name: String
    public var value: String
    public var injection: Injection

    public init(name: String, value: String, injection: Injection) {
      self.name = name
      self.value = value
      self.injection = injection
    }
  }

  public struct HostMount: Sendable, Hashable {
    /// How annotations ask for it.
    public var name: String
    public var hostPath: String
    public var mountPath: String
    public var isReadOnly: Bool
    public var injection: Injection

    public init(name: String, hostPath: String, mountPath: String, isReadOnly: Bool, injection: Injection) {
      self.name = name
      self.hostPath = hostPath
      self.mountPath = mountPath
      self.isReadOnly = isReadOnly
      self.injection = injection
    }
  }

  /// How fast a container may use the device below a volume.
  public struct VolumeLimit: Sendable, Hashable {
    /// Of volumes of these classes; empty: of every volume.
    public var storageClasses: Set<String>
    /// The most, whatever the volumes' classes say; holds, too, where they say nothing.
    public var limits: VolumeIOLimits

    public init(storageClasses: Set<String>, limits: VolumeIOLimits) {
      self.storageClasses = storageClasses
      self.limits = limits
    }
  }
}

extension NodePolicy: Comparable {
  public static func < (left: NodePolicy, right: NodePolicy) -> Bool {
    (left.order, left.name) < (right.order, right.name)
  }
}
