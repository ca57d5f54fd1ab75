public import KubernetesAPI

/// What storage may ask the API for: the cluster's part and each node's.
public enum StorageAccess {
  /// The CSI driver's name, and the provisioner of its classes.
  public static let driverName = VolumeParameters.driver
  /// Where published capacities are.
  public static let capacityNamespace = "kube-system"
  /// The label of a volume that says on which node it lies.
  public static let nodeLabel = "topology.local.nagaya.dev/node"
  /// The annotation of a claim by which it is given to a node (Kubernetes).
  public static let selectedNode = StorageNames.selectedNode
  /// Holds a claim while a node makes its volume: whoever finds it later has something to finish, or to take back.
  public static let makingFinalizer = StorageNames.making
  /// The annotation of a storage class that says when its volumes move by themselves: `when-pending`, for pods that would wait
  /// for room for ever; never, if left out.
  public static let movesPolicy = "storage.nagaya.dev/moves"
  /// The annotation of a storage class that says how much is copied in a second, for each of such moves.
  public static let movesBandwidth = "storage.nagaya.dev/moves-bytes-per-second"
  /// The annotation with the node that does.
  public static let makingNode = StorageNames.makingNode

  /// The cluster's part.
  public static let cluster = PartRole(
    "system:nagaya:storage-controller",
    [
      .init("", ["persistentvolumeclaims"], ["get", "list", "watch", "update", "patch"]),
      .init("", ["persistentvolumes"], ["get", "list", "watch", "update", "patch"]),
      .init("", ["persistentvolumeclaims/status", "persistentvolumes/status"], ["update"]),
      .init("", ["pods"], ["list", "watch", "delete"]), .init("", ["nodes"], ["get", "list"]),
      .init("", ["events"], ["create", "patch"]),
      .init("storage.k8s.io", ["storageclasses", "csistoragecapacities"], ["list", "watch"]),
      .init("storage.k8s.io", ["csidrivers"], ["get", "create", "update"]),
      .init("storage.nagaya.dev", ["volumemoves"], ["get", "list", "watch", "create", "update"]),
      .init("storage.nagaya.dev", ["volumemoves/status"], ["update"]),
      .init("snapshot.storage.k8s.io", ["volumesnapshots"], ["list", "watch", "update"]),
      .init("snapshot.storage.k8s.io", ["volumesnapshots/status"], ["update"]),
      .init(
        "snapshot.storage.k8s.io", ["volumesnapshotcontents"],
        ["get", "list", "watch", "create", "update", "patch", "delete"]),
      .init("snapshot.storage.k8s.io", ["volumesnapshotclasses"], ["list", "watch"]),
    ])

  /// Each node's part; its name is the group of its users.
  public static let node = PartRole(
    "system:nagaya:storage",
    [
      .init("", ["persistentvolumeclaims"], ["get", "list", "watch", "update"]),
      .init("", ["persistentvolumes"], ["get", "list", "watch", "create", "update", "patch", "delete"]),
      .init("", ["persistentvolumeclaims/status"], ["update"]), .init("", ["events"], ["create", "patch"]),
      .init("storage.k8s.io", ["storageclasses"], ["list", "watch"]),
      .init("storage.k8s.io", ["volumeattributesclasses"], ["get"]),
      .init("storage.k8s.io", ["csinodes"], ["get", "create", "update"]),
      .init("storage.k8s.io", ["csistoragecapacities"], ["get", "list", "create", "update", "delete"]),
      .init("storage.nagaya.dev", ["volumepools"], ["get", "list", "create", "update", "delete"]),
      .init("storage.nagaya.dev", ["volumepools/status"], ["update"]),
      .init("storage.nagaya.dev", ["volumemoves"], ["list", "watch"]),
      .init("storage.nagaya.dev", ["volumemoves/status"], ["patch"]),
      .init("snapshot.storage.k8s.io", ["volumesnapshots"], ["get"]),
      .init("snapshot.storage.k8s.io", ["volumesnapshotcontents"], ["get", "list", "watch", "update"]),
      .init("snapshot.storage.k8s.io", ["volumesnapshotcontents/status"], ["update"]),
    ])

  /// The node that a volume of our driver lies on: by its affinity, which cannot be changed; labels can.
  public static func node(of volume: KubernetesObject) -> String? {
    let terms = volume.spec["nodeAffinity"]["required"]["nodeSelectorTerms"].elements
    guard terms.count == 1 else { return nil }
    let expression = terms[0]["matchExpressions"].elements.first { $0["key"].string == nodeLabel }
    guard let expression, expression["operator"].string == "In", expression["values"].elements.count == 1 else {
      return nil
    }
    return expression["values"][0].string
  }
}
