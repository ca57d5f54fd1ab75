import JSONDocument
import KubernetesAPI

/// Names that Kubernetes and its storage sidecars agreed on.
enum StorageNames {
  static let selectedNode = "volume.kubernetes.io/selected-node"
  static let provisioner = "volume.kubernetes.io/storage-provisioner"
  static let provisionedBy = "pv.kubernetes.io/provisioned-by"
  static let bindCompleted = "pv.kubernetes.io/bind-completed"
  static let boundByController = "pv.kubernetes.io/bound-by-controller"
  static let defaultClass = "storageclass.kubernetes.io/is-default-class"
  static let claimProtection = "kubernetes.io/pvc-protection"
  static let volumeProtection = "kubernetes.io/pv-protection"
  static let provisionerFinalizer = "external-provisioner.volume.kubernetes.io/finalizer"
  static let fileSystem = "csi.storage.k8s.io/fstype"
  /// The condition of a claim whose file system grows when a pod has it mounted.
  static let resizePending = "FileSystemResizePending"

  /// What a claim's volume is called before there is one: a making that was cut off is found again, not repeated.
  static func volume(of claim: KubernetesObject) -> String { "pvc-\(claim.uid)" }

  /// Holds a claim while a node makes its volume: whoever finds it later has something to finish, or to take back.
  static let making = "local.nagaya.dev/making-volume"
  /// The node that does.
  static let makingNode = "local.nagaya.dev/making-on"
}

extension KubernetesObject {
  /// Of a claim: a node makes its volume now.
  var isBeingMade: Bool { finalizers.contains(StorageNames.making) && phase != "Bound" }

  /// `spec.resources.requests.storage` of a claim.
  var requestedStorage: Quantity? { spec["resources"]["requests"]["storage"].string.flatMap(Quantity.init) }
  /// `spec.capacity.storage` of a volume.
  var volumeCapacity: Quantity? { spec["capacity"]["storage"].string.flatMap(Quantity.init) }
  var storageClassName: String { spec["storageClassName"].string ?? "" }
  var volumeMode: String { spec["volumeMode"].string ?? "Filesystem" }
  var phase: String { status["phase"].string ?? "" }

  var claimKey: ObjectKey? { VolumeBinding.claimKey(of: self) }
}
