/// How fast containers may use the device below a volume (Linux, cgroup v2, "IO Interface Files": `io.max`).
public struct VolumeIOLimits: Sendable, Hashable {
  /// What is counted.
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    case readBytesPerSecond, writeBytesPerSecond, readOperationsPerSecond, writeOperationsPerSecond

    /// As the kernel calls it: `rbps`.
    public var kernelName: String {
      switch self {
      case .readBytesPerSecond: "rbps"
      case .writeBytesPerSecond: "wbps"
      case .readOperationsPerSecond: "riops"
      case .writeOperationsPerSecond: "wiops"
      }
    }
  }

  private var readBytes: UInt64?
  private var writeBytes: UInt64?
  private var readOperations: UInt64?
  private var writeOperations: UInt64?

  public init() {}

  /// The most a second; `nil`: as much as there is.
  public subscript(kind: Kind) -> UInt64? {
    get {
      switch kind {
      case .readBytesPerSecond: readBytes
      case .writeBytesPerSecond: writeBytes
      case .readOperationsPerSecond: readOperations
      case .writeOperationsPerSecond: writeOperations
      }
    }
    set {
      switch kind {
      case .readBytesPerSecond: readBytes = newValue
      case .writeBytesPerSecond: writeBytes = newValue
      case .readOperationsPerSecond: readOperations = newValue
      case .writeOperationsPerSecond: writeOperations = newValue
      }
    }
  }

  public var isEmpty: Bool { Kind.allCases.allSatisfy { self[$0] == nil } }

  /// Of each kind the lower one; where one says nothing, the other.
  public func bounded(by other: VolumeIOLimits) -> VolumeIOLimits {
    var limits = self
    for kind in Kind.allCases {
      guard let bound = other[kind] else { continue }
      limits[kind] = min(self[kind] ?? bound, bound)
    }
    return limits
  }

  /// Of each kind its own; where it says nothing, the other's.
  public func or(_ other: VolumeIOLimits) -> VolumeIOLimits {
    var limits = self
    for kind in Kind.allCases where limits[kind] == nil { limits[kind] = other[kind] }
    return limits
  }

  /// What `io.max` of a group is to say: what is not limited is said, too, as the kernel would keep an earlier limit.
  /// - Parameter device: `8:0`
  public func line(of device: String) -> String {
    let words = Kind.allCases.map { kind in "\(kind.kernelName)=\(self[kind].map { String($0) } ?? "max")" }
    return ([device] + words).joined(separator: " ")
  }

  /// A limit as objects write it: a quantity of at least 1, such as `20M` or `100`; `nil` if it is none.
  public static func value(_ text: String) -> UInt64? {
    guard let quantity = Quantity(text), quantity.value >= 1 else { return nil }
    return UInt64(clamping: quantity.value)
  }
}
