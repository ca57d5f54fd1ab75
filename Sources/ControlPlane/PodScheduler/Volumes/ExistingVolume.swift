import JSONDocument
import KubernetesAPI
public import KubernetesClient

/// Persistent volumes that nobody provisioned for a claim but that it may have.
public enum ExistingVolume {
  /// The provisioner of classes whose volumes are all made by hand.
  public static let noProvisioner = "kubernetes.io/no-provisioner"

  /// Volumes that a claim may have, by the claim that they name, or by their class if they name none: none of those that other
  /// claims have is looked at.
  public static let index = CacheIndex("existing") { volume in
    if let key = VolumeBinding.claimKey(of: volume) { return ["claim:\(key)"] }
    return ["class:\(volume.spec["storageClassName"].string ?? "")"]
  }

  /// The volumes of a cache that has `index` which a claim may have, the best first.
  public static func candidates(for claim: KubernetesObject, in volumes: ObjectCache) -> [KubernetesObject] {
    let ofClass = "class:\(claim.spec["storageClassName"].string ?? "")"
    return candidates(
      for: claim, among: volumes.list(by: index, "claim:\(claim.key)") + volumes.list(by: index, ofClass))
  }

  /// The volumes that a claim may have: kept for it by name first, then the smallest that is large enough.
  public static func candidates(for claim: KubernetesObject, among volumes: [KubernetesObject]) -> [KubernetesObject] {
    volumes.filter { fits($0, claim) }.sorted { rank($0) < rank($1) }
  }

  /// Whether a volume can be used on a node: its node affinity holds there, or it has none.
  public static func isUsable(_ volume: KubernetesObject, onNode name: String, labels: [String: String]) -> Bool {
    let required = volume.spec["nodeAffinity"]["required"]
    return required.isNull || NodeSelectorTerms.match(required, labels: labels, name: name)
  }

  private static func fits(_ volume: KubernetesObject, _ claim: KubernetesObject) -> Bool {
    (try? VolumeBinding.check(volume, for: claim)) != nil
  }

  private static func rank(_ volume: KubernetesObject) -> (Int, Int64, String) {
    (volume.spec["claimRef"]["name"].isNull ? 1 : 0, bytes(of: volume), volume.name)
  }

  private static func bytes(of volume: KubernetesObject) -> Int64 {
    volume.spec["capacity"]["storage"].string.flatMap { Quantity($0)?.value } ?? 0
  }
}
