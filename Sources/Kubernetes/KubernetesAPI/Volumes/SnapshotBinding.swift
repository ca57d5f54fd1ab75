import JSONDocument

/// The bond between a VolumeSnapshot, which belongs to a namespace, and the VolumeSnapshotContent that stands for what a driver
/// keeps (snapshot.storage.k8s.io/v1).
///
/// The name that a snapshot gives is a wish of whoever wrote it; only the content's own side says whose it is. Whoever reads, uses
/// or deletes a content for a snapshot asks `isMutual` first.
public enum SnapshotBinding {
  /// Holds a snapshot until what was kept for it is deleted or let go (upstream's name).
  public static let snapshotFinalizer = "snapshot.storage.kubernetes.io/volumesnapshot-bound-protection"
  /// Holds a content until its node has deleted what it keeps (upstream's name).
  public static let contentFinalizer = "snapshot.storage.kubernetes.io/volumesnapshotcontent-bound-protection"
  /// Says that the snapshot of a content is going: what it stands for may be deleted.
  public static let beingDeleted = "snapshot.storage.kubernetes.io/volumesnapshot-being-deleted"
  /// The label of a content that names the node whose driver has it.
  public static let nodeLabel = "snapshot.storage.kubernetes.io/managed-by"
  /// The annotation of the class that is taken where none is named.
  public static let defaultClass = "snapshot.storage.kubernetes.io/is-default-class"

  /// What the content of a snapshot that is to be taken is called.
  public static func contentName(of snapshot: KubernetesObject) -> String { "snapcontent-\(snapshot.uid)" }

  /// What the driver calls the snapshot of a content: a taking that was cut off is found again, not repeated.
  /// - Returns: `nil` for one that is nobody's yet.
  public static func driverName(of content: KubernetesObject) -> String? {
    content.spec["volumeSnapshotRef"]["uid"].string.flatMap { $0.isEmpty ? nil : "snapshot-\($0)" }
  }

  /// The name of the content that a snapshot says is its.
  public static func contentName(named snapshot: KubernetesObject) -> String? {
    for name in [
      snapshot.status["boundVolumeSnapshotContentName"], snapshot.spec["source"]["volumeSnapshotContentName"],
    ] {
      if let name = name.string, !name.isEmpty { return name }
    }
    return nil
  }

  /// Whether both sides name each other: the snapshot the content, and the content the snapshot by namespace, name and uid.
  public static func isMutual(_ snapshot: KubernetesObject, _ content: KubernetesObject) -> Bool {
    !snapshot.uid.isEmpty && contentName(named: snapshot) == content.name
      && content.spec["volumeSnapshotRef"]["uid"].string == snapshot.uid && isFor(snapshot, content)
  }

  /// Whether a content that is nobody's yet is kept for this snapshot: by namespace and name.
  public static func isKept(_ content: KubernetesObject, for snapshot: KubernetesObject) -> Bool {
    (content.spec["volumeSnapshotRef"]["uid"].string ?? "").isEmpty && isFor(snapshot, content)
  }

  private static func isFor(_ snapshot: KubernetesObject, _ content: KubernetesObject) -> Bool {
    let owner = content.spec["volumeSnapshotRef"]
    return owner["name"].string == snapshot.name && owner["namespace"].string == snapshot.namespace
  }

  /// The snapshot that a content is of, or is kept for.
  public static func snapshotKey(of content: KubernetesObject) -> ObjectKey? {
    let owner = content.spec["volumeSnapshotRef"]
    return owner["name"].string.map { ObjectKey(namespace: owner["namespace"].string ?? "", name: $0) }
  }

  /// What a content says of its snapshot.
  public static func reference(to snapshot: KubernetesObject) -> JSONValue {
    [
      "apiVersion": .string(Resource.volumeSnapshots.apiVersion), "kind": .string(Resource.volumeSnapshots.kind),
      "namespace": .string(snapshot.namespace), "name": .string(snapshot.name), "uid": .string(snapshot.uid),
    ]
  }
}
