/// What a claim asks for that a driver of local volumes does not make (`VolumeParameters.driver`).
///
/// A volume that is made all the same would be another one than was asked for: empty where data was wanted, or of no use to
/// the second pod. A volume made by hand may be what the claim wants.
public enum ClaimWishes {
  public enum Obstacle: Error, Hashable, Sendable, CustomStringConvertible {
    case accessMode(String)
    /// It is to be filled from something that volumes are not made from.
    case source(kind: String, name: String)
    /// It is to be filled from something in another namespace.
    case foreignSource(namespace: String, name: String)
    /// Its two fields for what it is filled from differ.
    case sources
    /// It chooses among volumes that exist.
    case selector

    public var description: String {
      switch self {
      case .accessMode(let mode):
        "access mode \(mode) is not offered: a local volume is used on one node; ask for ReadWriteOnce or ReadWriteOncePod"
      case .source(let kind, let name):
        "volumes are not filled from \(kind.isEmpty ? "an object without kind" : String(kind.prefix(63))) \"\(name.prefix(253))\"; name a VolumeSnapshot (apiGroup \(Resource.volumeSnapshots.group)) or a PersistentVolumeClaim, or leave dataSource and dataSourceRef out"
      case .foreignSource(let namespace, let name):
        "\"\(name.prefix(253))\" is in namespace \"\(namespace.prefix(63))\": a volume is filled only from what is in the claim's own; leave dataSourceRef.namespace out"
      case .sources: "dataSource and dataSourceRef differ; give one of them, or the same in both"
      case .selector:
        "a selector chooses among volumes that exist, and none of those fits; leave it out to have one made"
      }
    }
  }

  /// - Parameter claim: that is to get a volume which is made for it.
  public static func check(_ claim: KubernetesObject) throws(Obstacle) {
    let offered: Set<String> = ["ReadWriteOnce", "ReadWriteOncePod"]
    if let mode = claim.spec["accessModes"].elements.compactMap(\.string).first(where: { !offered.contains($0) }) {
      throw .accessMode(mode)
    }
    _ = try source(of: claim)
    if !claim.spec["selector"].isNull { throw .selector }
  }

  /// What a claim's volume is to begin with.
  public enum Source: Hashable, Sendable, CustomStringConvertible {
    /// A VolumeSnapshot in the claim's namespace.
    case snapshot(String)
    /// A claim in the same namespace.
    case claim(String)

    public var name: String {
      switch self {
      case .snapshot(let name), .claim(let name): name
      }
    }

    public var description: String {
      switch self {
      case .snapshot(let name): "volumesnapshot \"\(name)\""
      case .claim(let name): "persistentvolumeclaim \"\(name)\""
      }
    }
  }

  /// What a claim's `dataSourceRef` or `dataSource` says; `nil`: it begins empty.
  public static func source(of claim: KubernetesObject) throws(Obstacle) -> Source? {
    let (reference, plain) = (claim.spec["dataSourceRef"], claim.spec["dataSource"])
    let source = reference.isNull ? plain : reference
    if source.isNull { return nil }
    let name = source["name"].string ?? ""
    let group = source["apiGroup"].string ?? ""
    if !reference.isNull, !plain.isNull,
      ["apiGroup", "kind", "name"].contains(where: { (plain[$0].string ?? "") != (reference[$0].string ?? "") })
    {
      throw .sources
    }
    if let namespace = source["namespace"].string, !namespace.isEmpty, namespace != claim.namespace {
      throw .foreignSource(namespace: namespace, name: name)
    }
    switch (group, source["kind"].string ?? "") {
    case (Resource.volumeSnapshots.group, Resource.volumeSnapshots.kind) where !name.isEmpty: return .snapshot(name)
    case ("", Resource.persistentVolumeClaims.kind) where !name.isEmpty: return .claim(name)
    case (_, let kind): throw .source(kind: kind, name: name)
    }
  }

  /// The annotation of a claim with a source that names the node which has it: the cluster's storage writes it once the claim can
  /// be made from that, and the scheduler goes by it.
  public static let sourceNode = "local.nagaya.dev/source-node"

  /// The same, where the class of the claim is one of the driver of local volumes; others answer for themselves.
  public static func check(_ claim: KubernetesObject, of storageClass: KubernetesObject) throws(Obstacle) {
    if storageClass["provisioner"].string == VolumeParameters.driver { try check(claim) }
  }
}
