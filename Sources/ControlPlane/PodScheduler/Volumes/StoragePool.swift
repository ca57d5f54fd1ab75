import KubernetesAPI

/// What storage classes take volumes from. Classes of one provisioner whose parameters differ only in what a volume
/// looks like (`csi.storage.k8s.io/…`: file system, secrets) share a pool, so that no byte is promised twice.
enum StoragePool {
  /// A name that classes of one pool, and only those, have in common.
  static func name(for storageClass: KubernetesObject) -> String {
    let parameters = storageClass["parameters"].strings.filter { !$0.key.hasPrefix("csi.storage.k8s.io/") }
    return ([storageClass["provisioner"].string ?? ""] + parameters.map { "\($0.key)=\($0.value)" }.sorted())
      .joined(separator: " ")
  }
}
