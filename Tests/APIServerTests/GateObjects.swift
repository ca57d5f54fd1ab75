import APIServer
import JSONDocument
import KubernetesAPI
import Locking

/// Objects in a table, with a revision that counts changes.
final class GateObjects: ObjectReading {
  private struct Stored {
    let revision: UInt64
    let object: KubernetesObject
  }

  private let state = Mutex<(revision: UInt64, objects: [Resource: [Stored]])>((1, [:]))

  init(_ objects: [(Resource, KubernetesObject)] = []) {
    for (resource, object) in objects { add(resource, object) }
  }

  func add(_ resource: Resource, _ object: KubernetesObject) {
    state.withLock {
      $0.revision += 1
      $0.objects[resource, default: []].append(Stored(revision: $0.revision, object: object))
    }
  }

  /// Takes the object with this key away, if there is one.
  func remove(_ resource: Resource, _ key: ObjectKey) {
    state.withLock {
      $0.revision += 1
      $0.objects[resource]?.removeAll { $0.object.key == key }
    }
  }

  func removeAll(_ resource: Resource) {
    state.withLock {
      $0.revision += 1
      $0.objects[resource] = nil
    }
  }

  func revision(of resource: Resource) -> UInt64 { state.withLock { $0.revision } }
  func objects(of resource: Resource, namespace: String?) -> [KubernetesObject] {
    state.withLock { $0.objects[resource] ?? [] }.map(\.object).filter { namespace == nil || $0.namespace == namespace }
  }
  func versions(of resource: Resource) -> [ObjectVersion] {
    state.withLock { $0.objects[resource] ?? [] }.map { stored in
      ObjectVersion(key: stored.object.key, revision: stored.revision) { stored.object }
    }
  }

  static func role(_ name: String, in namespace: String? = nil, _ rules: JSONValue..., labels: [String: String] = [:])
    -> (Resource, KubernetesObject)
  {
    let resource = namespace == nil ? Resource.clusterRoles : .roles
    var role = KubernetesObject(resource, namespace: namespace, name: name, labels: labels)
    role["rules"] = .array(rules)
    return (resource, role)
  }

  static func bind(_ role: String, kind: String = "ClusterRole", in namespace: String? = nil, _ subjects: JSONValue...)
    -> (Resource, KubernetesObject)
  {
    let resource = namespace == nil ? Resource.clusterRoleBindings : .roleBindings
    var binding = KubernetesObject(resource, namespace: namespace, name: "bind-\(role)-\(namespace ?? "all")")
    binding["roleRef"] = ["apiGroup": "rbac.authorization.k8s.io", "kind": .string(kind), "name": .string(role)]
    binding["subjects"] = .array(subjects)
    return (resource, binding)
  }

  static func user(_ name: String) -> JSONValue { ["kind": "User", "name": .string(name)] }
  static func group(_ name: String) -> JSONValue { ["kind": "Group", "name": .string(name)] }
  static func account(_ namespace: String, _ name: String) -> JSONValue {
    ["kind": "ServiceAccount", "namespace": .string(namespace), "name": .string(name)]
  }
}
