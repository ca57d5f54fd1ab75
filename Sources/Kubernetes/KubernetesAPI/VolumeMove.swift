public import JSONDocument

/// A VolumeMove: a volume's way from one node to another, in steps that its nodes and the cluster's controller take in turn.
///
/// The cluster's controller writes the phase, each node its own report (`status.source`, `status.target`). Where the volume lies
/// says at every moment the PersistentVolume's node affinity alone.
public struct VolumeMove: Sendable {
  public static let group = "storage.nagaya.dev"
  /// Holds a move until both nodes have cleaned up.
  public static let finalizer = "storage.nagaya.dev/move"
  /// The annotation of a PersistentVolume with the name of the move that has it.
  public static let annotation = "storage.nagaya.dev/move"
  /// The annotation of a PersistentVolume that nobody may begin to use: the node that it goes to.
  public static let switching = "storage.nagaya.dev/moving-to"
  /// The annotation of a claim whose owner does not want its volume moved: `never`.
  public static let consent = "storage.nagaya.dev/moves"

  public enum Phase: String, Sendable, CaseIterable {
    /// Nothing was done yet.
    case pending = "Pending"
    /// The target makes room.
    case preparing = "Preparing"
    /// The source copies, while the volume is in use.
    case copying = "Copying"
    /// Its pods end; what has changed is copied.
    case switching = "Switching"
    /// The volume is on the target; the source deletes its own.
    case cleaning = "Cleaning"
    case succeeded = "Succeeded"
    /// Both nodes go back to how it was.
    case aborting = "Aborting"
    case failed = "Failed"

    public var isOver: Bool { self == .succeeded || self == .failed }
  }

  /// What the source says of itself.
  public enum SourceState: String, Sendable, CaseIterable {
    /// Little is left to copy.
    case copied = "Copied"
    /// The volume is sealed here, and its copy has the same checksum.
    case verified = "Verified"
    /// The volume was deleted here.
    case deleted = "Deleted"
    /// It may be used here again.
    case released = "Released"
  }

  /// What the target says of itself.
  public enum TargetState: String, Sendable, CaseIterable {
    /// There is room, and it listens.
    case ready = "Ready"
    /// It can't have the volume.
    case refused = "Refused"
    /// The volume may be used here.
    case served = "Served"
    /// Nothing of it is here any more.
    case released = "Released"
  }

  public let object: KubernetesObject

  public init(_ object: KubernetesObject) { self.object = object }

  public var volumeName: String { object.spec["volumeName"].string ?? "" }
  public var targetNode: String { object.spec["targetNode"].string ?? "" }
  public var bytesPerSecond: Int64? {
    object.spec["bytesPerSecond"].string.flatMap(Quantity.init).map(\.value).flatMap { $0 > 0 ? $0 : nil }
  }
  public var phase: Phase { object.status["phase"].string.flatMap(Phase.init) ?? .pending }
  /// Empty before it is prepared.
  public var sourceNode: String { object.status["sourceNode"].string ?? "" }
  /// What the driver calls the volume, on both nodes.
  public var handle: String { object.status["volumeHandle"].string ?? "" }
  public var source: JSONValue { object.status["source"] }
  public var target: JSONValue { object.status["target"] }
  public var sourceState: SourceState? { source["state"].string.flatMap(SourceState.init) }
  public var targetState: TargetState? { target["state"].string.flatMap(TargetState.init) }
}

extension KubernetesObject {
  /// The one node that a local volume's affinity names under `key`; `nil` if it names none, or several.
  public func volumeNode(by key: String) -> String? {
    let terms = spec["nodeAffinity"]["required"]["nodeSelectorTerms"].elements
    guard terms.count == 1 else { return nil }
    let found = terms[0]["matchExpressions"].elements.filter { $0["key"].string == key }
    guard found.count == 1, found[0]["operator"].string == "In", found[0]["values"].elements.count == 1 else {
      return nil
    }
    return found[0]["values"][0].string
  }
}
