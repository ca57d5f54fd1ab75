import JSONDocument

extension KubernetesObject {
  /// The claims that a pod's volumes name, each once; those of generic ephemeral volumes (`POD-VOLUME`) among them.
  public var claimKeys: [ObjectKey] {
    var keys: [ObjectKey] = []
    for volume in spec["volumes"].elements {
      var claim = volume["persistentVolumeClaim"]["claimName"].string
      if !volume["ephemeral"].isNull, let volumeName = volume["name"].string { claim = "\(name)-\(volumeName)" }
      guard let claim else { continue }
      let key = ObjectKey(namespace: namespace, name: claim)
      if !keys.contains(key) { keys.append(key) }
    }
    return keys
  }
}
