/// What the API serves under one path: group, version, plural name, kind and scope.
public struct Resource: Sendable, Hashable {
  /// Empty for the core group.
  public let group: String
  public let version: String
  /// Lower-case plural, as in the path: `pods`.
  public let plural: String
  public let kind: String
  public let isNamespaced: Bool

  public init(group: String, version: String, plural: String, kind: String, isNamespaced: Bool = true) {
    self.group = group
    self.version = version
    self.plural = plural
    self.kind = kind
    self.isNamespaced = isNamespaced
  }

  /// `v1` or `apps/v1`.
  public var apiVersion: String { group.isEmpty ? version : "\(group)/\(version)" }

  /// `/api/v1/namespaces/demo/pods/web/status`; without a namespace: over all of them.
  public func path(namespace: String? = nil, name: String? = nil, subresource: String? = nil) -> String {
    var path = group.isEmpty ? "/api/\(version)" : "/apis/\(group)/\(version)"
    if isNamespaced, let namespace, !namespace.isEmpty { path += "/namespaces/\(namespace)" }
    path += "/\(plural)"
    if let name { path += "/\(name)" }
    if let subresource { path += "/\(subresource)" }
    return path
  }
}

extension Resource {
  public static let namespaces = core("namespaces", "Namespace", isNamespaced: false)
  public static let nodes = core("nodes", "Node", isNamespaced: false)
  public static let pods = core("pods", "Pod")
  public static let events = core("events", "Event")
  public static let services = core("services", "Service")
  public static let configMaps = core("configmaps", "ConfigMap")
  public static let secrets = core("secrets", "Secret")
  public static let serviceAccounts = core("serviceaccounts", "ServiceAccount")
  public static let persistentVolumes = core("persistentvolumes", "PersistentVolume", isNamespaced: false)
  public static let persistentVolumeClaims = core("persistentvolumeclaims", "PersistentVolumeClaim")
  public static let resourceQuotas = core("resourcequotas", "ResourceQuota")
  public static let limitRanges = core("limitranges", "LimitRange")

  public static let deployments = Resource(group: "apps", version: "v1", plural: "deployments", kind: "Deployment")
  public static let replicaSets = Resource(group: "apps", version: "v1", plural: "replicasets", kind: "ReplicaSet")

  public static let storageClasses = storage("storageclasses", "StorageClass", isNamespaced: false)
  public static let volumeAttributesClasses = storage(
    "volumeattributesclasses", "VolumeAttributesClass", isNamespaced: false)
  public static let csiDrivers = storage("csidrivers", "CSIDriver", isNamespaced: false)
  public static let csiNodes = storage("csinodes", "CSINode", isNamespaced: false)
  public static let csiStorageCapacities = storage("csistoragecapacities", "CSIStorageCapacity")

  public static let volumeSnapshots = snapshot("volumesnapshots", "VolumeSnapshot")
  public static let volumeSnapshotContents = snapshot(
    "volumesnapshotcontents", "VolumeSnapshotContent", isNamespaced: false)
  public static let volumeSnapshotClasses = snapshot(
    "volumesnapshotclasses", "VolumeSnapshotClass", isNamespaced: false)

  public static let leases = Resource(
    group: "coordination.k8s.io", version: "v1", plural: "leases", kind: "Lease")
  public static let endpointSlices = Resource(
    group: "discovery.k8s.io", version: "v1", plural: "endpointslices", kind: "EndpointSlice")

  public static let roles = rbac("roles", "Role")
  public static let roleBindings = rbac("rolebindings", "RoleBinding")
  public static let clusterRoles = rbac("clusterroles", "ClusterRole", isNamespaced: false)
  public static let clusterRoleBindings = rbac("clusterrolebindings", "ClusterRoleBinding", isNamespaced: false)

  public static let tenants = Resource(
    group: "nagaya.dev", version: "v1alpha1", plural: "tenants", kind: "Tenant", isNamespaced: false)
  public static let applications = Resource(
    group: "nagaya.dev", version: "v1alpha1", plural: "applications", kind: "Application")
  public static let nodePolicies = Resource(
    group: "nagaya.dev", version: "v1alpha1", plural: "nodepolicies", kind: "NodePolicy", isNamespaced: false)
  public static let volumePools = Resource(
    group: "storage.nagaya.dev", version: "v1alpha1", plural: "volumepools", kind: "VolumePool",
    isNamespaced: false)
  public static let volumeMoves = Resource(
    group: "storage.nagaya.dev", version: "v1alpha1", plural: "volumemoves", kind: "VolumeMove", isNamespaced: false)

  private static func core(_ plural: String, _ kind: String, isNamespaced: Bool = true) -> Resource {
    Resource(group: "", version: "v1", plural: plural, kind: kind, isNamespaced: isNamespaced)
  }
  private static func storage(_ plural: String, _ kind: String, isNamespaced: Bool = true) -> Resource {
    Resource(group: "storage.k8s.io", version: "v1", plural: plural, kind: kind, isNamespaced: isNamespaced)
  }
  private static func snapshot(_ plural: String, _ kind: String, isNamespaced: Bool = true) -> Resource {
    Resource(group: "snapshot.storage.k8s.io", version: "v1", plural: plural, kind: kind, isNamespaced: isNamespaced)
  }
  private static func rbac(_ plural: String, _ kind: String, isNamespaced: Bool = true) -> Resource {
    Resource(
      group: "rbac.authorization.k8s.io", version: "v1", plural: plural, kind: kind, isNamespaced: isNamespaced)
  }
}
