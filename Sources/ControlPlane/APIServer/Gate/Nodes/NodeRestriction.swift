import JSONDocument
import KubernetesAPI
import KubernetesClient

/// Holds node agents to their own objects in what they write (Kubernetes, admission plugin NodeRestriction): what
/// authorization cannot see, because it knows names but not contents.
public struct NodeRestriction: WriteAdmitting {
  public init() {}

  /// Labels below this are an administrator's, to keep workloads off a node that was taken over.
  static let reservedLabel = "node-restriction.kubernetes.io/"

  /// Whether nothing but the capacity of a claim and what is said of its growth differs.
  private static func grows(_ old: KubernetesObject, _ new: KubernetesObject) -> Bool {
    func rest(_ claim: KubernetesObject) -> JSONValue {
      var status = claim.status
      status.remove("capacity")
      status.remove("conditions")
      return status
    }
    return old.spec == new.spec && old.labels == new.labels && old.annotations == new.annotations
      && old.finalizers == new.finalizers && old.ownerReferences == new.ownerReferences && rest(old) == rest(new)
  }

  /// Annotations that a node does not write.
  private static func rest(_ annotations: [String: String]) -> [String: String] {
    annotations.filter { $0.key != HookLimits.annotation }
  }

  public func refusal(of write: WriteReview) -> APIStatus? {
    guard let node = write.user.nodeName, !write.user.groups.contains(UserInfo.mastersGroup) else { return nil }
    guard let object = write.new ?? write.old else { return nil }
    func refused(_ why: String) -> APIStatus { .forbidden(write.resource, object.name, "node \"\(node)\" \(why)") }
    switch write.resource {
    case .nodes:
      guard object.name == node else { return refused("is not allowed to modify node \"\(object.name)\"") }
      guard let new = write.new else { return refused("is not allowed to delete itself") }
      guard let old = write.old else { return nil }
      func reserved(_ node: KubernetesObject) -> [String: String] {
        node.labels.filter { $0.key.contains(Self.reservedLabel) }
      }
      guard reserved(old) == reserved(new) else {
        return refused("is not allowed to modify labels of \(Self.reservedLabel)")
      }
      guard old.spec["taints"] == new.spec["taints"] else { return refused("is not allowed to modify its taints") }
      guard old.ownerReferences == new.ownerReferences else { return refused("is not allowed to modify its owners") }
      return nil
    case .pods:
      guard let old = write.old, old.spec["nodeName"].string == node else {
        return refused("can only write the status of, and delete, pods that are bound to it")
      }
      guard write.new.map({ $0.spec == old.spec && $0.labels == old.labels }) ?? true else {
        return refused("can only write the status of its pods")
      }
      guard write.new.map({ Self.rest($0.annotations) == Self.rest(old.annotations) }) ?? true else {
        return refused("can only write the annotation \(HookLimits.annotation) of its pods")
      }
      return nil
    case .leases:
      guard object.namespace == "kube-node-lease", object.name == node else {
        return refused("can only write its own lease in kube-node-lease")
      }
      return nil
    case .persistentVolumeClaims:
      guard let old = write.old, let new = write.new, Self.grows(old, new) else {
        return refused("can only write how much of a claim is there, in its status")
      }
      return nil
    case .csiNodes:
      return object.name == node ? nil : refused("can only write its own CSINode")
    case .events:
      let isOwn = [write.new, write.old].compactMap { $0 }.allSatisfy {
        ($0["source"]["host"].string ?? $0["reportingInstance"].string) == node
      }
      return isOwn ? nil : refused("can only write events that it reports itself")
    default:
      return refused("does not write \(write.resource.plural)")
    }
  }
}
