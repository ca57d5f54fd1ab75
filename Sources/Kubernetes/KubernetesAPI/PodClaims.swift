import JSONDocument

extension KubernetesObject {
  /// The claims that a pod's volumes name, each once; those of generic ephemeral volumes (`POD-VOLUME`) among them.
  public var claimKeys: [ObjectKey] {
    var keys: [ObjectKey] = []
    for volume in spec["volumes"].elements {
      guard let claim = claimName(of: volume) else { continue }
      let key = ObjectKey(namespace: namespace, name: claim)
      if !keys.contains(key) { keys.append(key) }
    }
    return keys
  }

  /// The claim that a volume of this pod names, or that is made for it; `nil`: it is none of a claim.
  public func claimName(of volume: JSONValue) -> String? {
    volume["persistentVolumeClaim"]["claimName"].string ?? ephemeralClaimName(of: volume)
  }

  /// The claims of a pod's generic ephemeral volumes, as they are to be made: named `POD-VOLUME`, owned by the pod, which they
  /// end with (KEP-1698).
  public var ephemeralClaims: [KubernetesObject] {
    spec["volumes"].elements.compactMap { volume in
      let template = volume["ephemeral"]["volumeClaimTemplate"]
      guard !template.isNull, let name = ephemeralClaimName(of: volume) else { return nil }
      var claim = KubernetesObject(
        .persistentVolumeClaims, namespace: namespace, name: name, labels: template["metadata"]["labels"].strings)
      let annotations = template["metadata"]["annotations"].strings
      if !annotations.isEmpty { claim.annotations = annotations }
      var owner = OwnerReference(to: self)
      (owner.apiVersion, owner.kind) = ("v1", "Pod")
      claim.ownerReferences = [owner]
      claim.spec = template["spec"]
      return claim
    }
  }

  /// Whether a claim is that of an ephemeral volume of this pod, not somebody else's that has its name.
  /// A pod that is still to be created has no uid, nor have the claims that will be made for it (`ephemeralClaims`).
  public func owns(ephemeralClaim claim: KubernetesObject) -> Bool { claim.controller?.uid == uid }

  /// The names of the claims that only this pod may have made for it.
  public var ephemeralClaimNames: Set<String> {
    Set(spec["volumes"].elements.compactMap(ephemeralClaimName(of:)))
  }

  private func ephemeralClaimName(of volume: JSONValue) -> String? {
    guard !volume["ephemeral"].isNull, let volumeName = volume["name"].string else { return nil }
    return "\(name)-\(volumeName)"
  }

  /// Whether a claim may be used by one pod only (KEP-2485).
  public var isForOnePod: Bool { spec["accessModes"].elements.contains { $0.string == "ReadWriteOncePod" } }
}
