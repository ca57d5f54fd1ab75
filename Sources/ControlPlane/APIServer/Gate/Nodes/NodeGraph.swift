import JSONDocument
import KubernetesAPI
import Locking

/// What the pods of a node name: the way from a node to a secret, config map, claim, volume or account.
///
/// Nothing is indexed: a question reads the pods of one node in one namespace, and what was found is remembered with the
/// pod that names it, which answers the next question with one look-up.
final class NodeGraph: Sendable {
  private struct Question: Hashable {
    let node: String
    let resource: String
    let namespace: String
    let name: String
  }
  private struct Answer {
    let pod: String
    let uid: String
  }

  private let objects: any ObjectReading
  private let known = Mutex<[Question: Answer]>([:])
  private static let knownLimit = 4096

  init(objects: any ObjectReading) { self.objects = objects }

  func isBound(pod name: String, namespace: String, to node: String) -> Bool {
    objects.object(of: .pods, namespace: namespace, name: name)?.spec["nodeName"].string == node
  }

  func names(_ resource: String, _ name: String, namespace: String, node: String) -> Bool {
    guard resource == "persistentvolumes" else { return isNamed(resource, name, namespace: namespace, node: node) }
    guard let volume = objects.object(of: .persistentVolumes, namespace: "", name: name) else { return false }
    let reference = volume.spec["claimRef"]
    guard let home = reference["namespace"].string, let claimName = reference["name"].string,
      let claim = objects.object(of: .persistentVolumeClaims, namespace: home, name: claimName),
      claim.spec["volumeName"].string == name, reference["uid"].string == claim.uid, !claim.uid.isEmpty
    else { return false }
    return isNamed("persistentvolumeclaims", claimName, namespace: home, node: node)
  }

  private func isNamed(_ resource: String, _ name: String, namespace: String, node: String) -> Bool {
    let question = Question(node: node, resource: resource, namespace: namespace, name: name)
    if let answer = known.withLock({ $0[question] }),
      let pod = objects.object(of: .pods, namespace: namespace, name: answer.pod), pod.uid == answer.uid
    {
      // What a pod names does not change while it lives, and neither does its node; its account's secrets may.
      if resource != "secrets" || Self.references(pod).contains(.init(resource, name)) { return true }
    }
    let wanted = Reference(resource, name)
    let pods = objects.objects(of: .pods, namespace: namespace, whereField: "spec.nodeName", is: node)
    let pod = pods.first { pod in
      Self.references(pod).contains(wanted) || (resource == "secrets" && accountNames(pod, secret: name))
    }
    known.withLock { known in
      if known.count >= Self.knownLimit { known.removeAll(keepingCapacity: true) }
      known[question] = pod.map { Answer(pod: $0.name, uid: $0.uid) }
    }
    return pod != nil
  }

  /// A pod that names no pull secrets uses those of its account.
  private func accountNames(_ pod: KubernetesObject, secret: String) -> Bool {
    guard pod.spec["imagePullSecrets"].elements.isEmpty else { return false }
    let account = objects.object(of: .serviceAccounts, namespace: pod.namespace, name: pod.serviceAccountOfPod)
    return account?["imagePullSecrets"].elements.contains { $0["name"].string == secret } ?? false
  }

  struct Reference: Hashable {
    let resource: String
    let name: String
    init(_ resource: String, _ name: String) {
      self.resource = resource
      self.name = name
    }
  }

  /// Everything of its namespace that a pod's specification names.
  static func references(_ pod: KubernetesObject) -> Set<Reference> {
    var found: Set<Reference> = [.init("serviceaccounts", pod.serviceAccountOfPod)]
    if !pod.tokenProjections.isEmpty { found.insert(.init("serviceaccounts/token", pod.serviceAccountOfPod)) }
    func add(_ resource: String, _ name: JSONValue) {
      if let name = name.string { found.insert(.init(resource, name)) }
    }
    for reference in pod.spec["imagePullSecrets"].elements { add("secrets", reference["name"]) }
    for container in ["initContainers", "containers", "ephemeralContainers"].flatMap({ pod.spec[$0].elements }) {
      for variable in container["env"].elements {
        add("secrets", variable["valueFrom"]["secretKeyRef"]["name"])
        add("configmaps", variable["valueFrom"]["configMapKeyRef"]["name"])
      }
      for source in container["envFrom"].elements {
        add("secrets", source["secretRef"]["name"])
        add("configmaps", source["configMapRef"]["name"])
      }
    }
    for claim in pod.claimKeys { found.insert(.init("persistentvolumeclaims", claim.name)) }
    for volume in pod.spec["volumes"].elements {
      add("secrets", volume["secret"]["secretName"])
      add("configmaps", volume["configMap"]["name"])
      for source in volume["projected"]["sources"].elements {
        add("secrets", source["secret"]["name"])
        add("configmaps", source["configMap"]["name"])
      }
    }
    return found
  }
}
