import BoundedNumbers
import JSONDocument

/// Any Kubernetes object: a JSON tree with access to what every object has (apiVersion, kind, metadata).
///
/// Unknown fields are kept, so reading an object, changing one field and writing it back loses nothing.
public struct KubernetesObject: Sendable, Hashable {
  public var json: JSONValue

  public init(json: JSONValue) { self.json = json }

  public init(
    apiVersion: String, kind: String, namespace: String? = nil, name: String,
    labels: [String: String] = [:]
  ) {
    json = ["apiVersion": .string(apiVersion), "kind": .string(kind)]
    json["metadata"]["name"] = .string(name)
    if let namespace { json["metadata"]["namespace"] = .string(namespace) }
    if !labels.isEmpty { json["metadata"]["labels"] = .strings(labels) }
  }

  /// A new object of `resource`.
  public init(
    _ resource: Resource, namespace: String? = nil, name: String, labels: [String: String] = [:]
  ) {
    self.init(
      apiVersion: resource.apiVersion, kind: resource.kind, namespace: namespace, name: name,
      labels: labels)
  }

  /// Parses an object from the bytes of an answer or an event.
  public init(parsing bytes: [UInt8]) throws(JSONError) {
    json = try JSONValue(parsing: bytes, limits: JSONLimits(bytes: 64 << 20))
  }

  /// A member of the object itself: `object["spec"]["replicas"].int`.
  public subscript(key: String) -> JSONValue {
    get { json[key] }
    _modify { yield &json[key] }
  }

  public var apiVersion: String { json["apiVersion"].string ?? "" }
  public var kind: String { json["kind"].string ?? "" }
  public var metadata: JSONValue {
    get { json["metadata"] }
    _modify { yield &json["metadata"] }
  }
  public var spec: JSONValue {
    get { json["spec"] }
    _modify { yield &json["spec"] }
  }
  public var status: JSONValue {
    get { json["status"] }
    _modify { yield &json["status"] }
  }

  public var name: String { metadata["name"].string ?? "" }
  /// Empty for objects of the cluster.
  public var namespace: String { metadata["namespace"].string ?? "" }
  public var uid: String { metadata["uid"].string ?? "" }
  public var resourceVersion: String { metadata["resourceVersion"].string ?? "" }
  public var generation: Int { metadata["generation"].int ?? 0 }
  /// The generation after a change of what is wanted.
  public var nextGeneration: Int { generation.clampedAdding(1) }
  public var creationTimestamp: Timestamp? { metadata["creationTimestamp"].string.flatMap(Timestamp.init) }
  public var deletionTimestamp: Timestamp? { metadata["deletionTimestamp"].string.flatMap(Timestamp.init) }
  /// Deletion was asked for; finalizers or a grace period hold the object.
  public var isBeingDeleted: Bool { metadata["deletionTimestamp"].string != nil }

  /// `namespace/name`, or `name` for objects of the cluster.
  public var key: ObjectKey { ObjectKey(namespace: namespace, name: name) }

  public var labels: [String: String] {
    get { metadata["labels"].strings }
    set { setStrings(newValue, "labels") }
  }
  public var annotations: [String: String] {
    get { metadata["annotations"].strings }
    set { setStrings(newValue, "annotations") }
  }
  public var finalizers: [String] {
    get { metadata["finalizers"].elements.compactMap(\.string) }
    set {
      if newValue.isEmpty {
        metadata.remove("finalizers")
      } else {
        metadata["finalizers"] = .array(newValue.map { .string($0) })
      }
    }
  }
  public var ownerReferences: [OwnerReference] {
    get { metadata["ownerReferences"].elements.map(OwnerReference.init) }
    set { metadata["ownerReferences"] = .array(newValue.map(\.json)) }
  }
  /// The owner that manages this object, if there is one.
  public var controller: OwnerReference? { ownerReferences.first(where: \.isController) }

  private mutating func setStrings(_ values: [String: String], _ key: String) {
    if values.isEmpty { metadata.remove(key) } else { metadata[key] = .strings(values) }
  }
}

/// The name of an object within its kind.
public struct ObjectKey: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// Empty for objects of the cluster.
  public let namespace: String
  public let name: String

  public init(namespace: String = "", name: String) {
    self.namespace = namespace
    self.name = name
  }

  public var description: String { namespace.isEmpty ? name : "\(namespace)/\(name)" }

  public static func < (left: ObjectKey, right: ObjectKey) -> Bool {
    (left.namespace, left.name) < (right.namespace, right.name)
  }
}

/// An entry of `metadata.ownerReferences`.
public struct OwnerReference: Sendable, Hashable {
  public var apiVersion: String
  public var kind: String
  public var name: String
  public var uid: String
  public var isController: Bool
  public var blocksOwnerDeletion: Bool

  public init(to owner: KubernetesObject, isController: Bool = true, blocksOwnerDeletion: Bool = true) {
    apiVersion = owner.apiVersion
    kind = owner.kind
    name = owner.name
    uid = owner.uid
    self.isController = isController
    self.blocksOwnerDeletion = blocksOwnerDeletion
  }

  public init(json: JSONValue) {
    apiVersion = json["apiVersion"].string ?? ""
    kind = json["kind"].string ?? ""
    name = json["name"].string ?? ""
    uid = json["uid"].string ?? ""
    isController = json["controller"].bool ?? false
    blocksOwnerDeletion = json["blockOwnerDeletion"].bool ?? false
  }

  public var json: JSONValue {
    [
      "apiVersion": .string(apiVersion), "kind": .string(kind), "name": .string(name),
      "uid": .string(uid), "controller": .bool(isController),
      "blockOwnerDeletion": .bool(blocksOwnerDeletion),
    ]
  }
}
