/// What a claim asks for that a driver of local volumes does not make (`VolumeParameters.driver`).
///
/// A volume that is made all the same would be another one than was asked for: empty where data was wanted, or of no use to
/// the second pod. A volume made by hand may be what the claim wants.
public enum ClaimWishes {
  public enum Obstacle: Error, Hashable, Sendable, CustomStringConvertible {
    case accessMode(String)
    /// It is to be filled from something.
    case source(kind: String, name: String)
    /// It chooses among volumes that exist.
    case selector

    public var description: String {
      switch self {
      case .accessMode(let mode):
        "access mode \(mode) is not offered: a local volume is used on one node; ask for ReadWriteOnce or ReadWriteOncePod"
      case .source(let kind, let name):
        "volumes are not filled from others here (\(kind) \"\(name)\"); leave dataSource and dataSourceRef out and copy the data"
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
    for key in ["dataSourceRef", "dataSource"] {
      let source = claim.spec[key]
      guard !source.isNull else { continue }
      throw .source(kind: source["kind"].string ?? "", name: source["name"].string ?? "")
    }
    if !claim.spec["selector"].isNull { throw .selector }
  }

  /// The same, where the class of the claim is one of the driver of local volumes; others answer for themselves.
  public static func check(_ claim: KubernetesObject, of storageClass: KubernetesObject) throws(Obstacle) {
    if storageClass["provisioner"].string == VolumeParameters.driver { try check(claim) }
  }
}
