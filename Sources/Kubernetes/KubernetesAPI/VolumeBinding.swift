import JSONDocument

/// The bond between a claim and a persistent volume (core/v1 `PersistentVolumeClaimSpec.volumeName` and
/// `PersistentVolumeSpec.claimRef`).
///
/// The name that a claim gives is a wish of whoever wrote the claim; only the volume's own side says whose it is. Whoever
/// mounts, schedules by, or grows a volume for a claim asks `isMutual` first, and whoever ties the two asks `check`.
public enum VolumeBinding {
  /// Whether both sides name each other: the claim the volume, and the volume the claim by namespace, name and uid.
  public static func isMutual(_ claim: KubernetesObject, _ volume: KubernetesObject) -> Bool {
    let owner = volume.spec["claimRef"]
    return !claim.uid.isEmpty && claim.spec["volumeName"].string == volume.name && owner["uid"].string == claim.uid
      && owner["name"].string == claim.name && owner["namespace"].string == claim.namespace
  }

  /// Why a claim can't have a volume.
  public enum Obstacle: Error, Hashable, Sendable, CustomStringConvertible {
    /// It is another claim's, was another claim's, or is kept for another claim.
    case ofAnotherClaim
    case beingDeleted
    case storageClass
    case attributesClass
    case volumeMode
    case accessModes
    /// The claim's selector does not choose it.
    case selector
    case tooSmall

    public var description: String {
      switch self {
      case .ofAnotherClaim: "the volume is already bound to a different claim"
      case .beingDeleted: "the volume is being deleted"
      case .storageClass: "the volume's storageClassName is not the claim's"
      case .attributesClass: "the volume's volumeAttributesClassName is not the claim's"
      case .volumeMode: "the volume's volumeMode is not the claim's"
      case .accessModes: "the volume does not offer the claim's accessModes"
      case .selector: "the volume's labels are not what the claim's selector asks for"
      case .tooSmall: "the volume is smaller than the claim's request"
      }
    }
  }

  /// Whether a claim may be tied to a volume: the volume is free or kept for this very claim, and is as the claim wants it.
  public static func check(_ volume: KubernetesObject, for claim: KubernetesObject) throws(Obstacle) {
    let owner = volume.spec["claimRef"]
    let isKept = !owner.isNull
    // An administrator may keep a volume for a claim that is not there yet and has no uid therefore.
    if isKept,
      owner["name"].string != claim.name || owner["namespace"].string != claim.namespace
        || !(owner["uid"].string ?? "").isEmpty && owner["uid"].string != claim.uid
    {
      throw .ofAnotherClaim
    }
    if volume.isBeingDeleted { throw .beingDeleted }
    func text(_ object: KubernetesObject, _ key: String, _ byDefault: String) -> String {
      object.spec[key].string ?? byDefault
    }
    guard text(volume, "storageClassName", "") == text(claim, "storageClassName", "") else { throw .storageClass }
    guard text(volume, "volumeAttributesClassName", "") == text(claim, "volumeAttributesClassName", "") else {
      throw .attributesClass
    }
    guard text(volume, "volumeMode", "Filesystem") == text(claim, "volumeMode", "Filesystem") else { throw .volumeMode }
    let offered = Set(volume.spec["accessModes"].elements.compactMap(\.string))
    guard claim.spec["accessModes"].elements.compactMap(\.string).allSatisfy(offered.contains) else {
      throw .accessModes
    }
    let selector = claim.spec["selector"]
    if !selector.isNull, !isKept {
      guard let labels = try? LabelSelector(json: selector), labels.matches(volume.labels) else { throw .selector }
    }
    let wanted = quantity(claim.spec["resources"]["requests"]["storage"])
    let size = quantity(volume.spec["capacity"]["storage"])
    if let wanted, size.map({ $0 < wanted }) ?? true { throw .tooSmall }
  }

  private static func quantity(_ value: JSONValue) -> Quantity? {
    value.string.flatMap { Quantity($0) } ?? value.int.flatMap { Quantity(String($0)) }
  }

  /// The claim that a volume is kept for.
  public static func claimKey(of volume: KubernetesObject) -> ObjectKey? {
    guard let name = volume.spec["claimRef"]["name"].string else { return nil }
    return ObjectKey(namespace: volume.spec["claimRef"]["namespace"].string ?? "", name: name)
  }

  /// What a volume says of its claim (`claimRef`).
  public static func reference(to claim: KubernetesObject) -> JSONValue {
    [
      "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": .string(claim.namespace),
      "name": .string(claim.name), "uid": .string(claim.uid),
    ]
  }
}
