import KubernetesAPI

/// Reads the newest committed objects, for parts that decide on every request (authorization, authentication).
public protocol ObjectReading: Sendable {
  /// Changes whenever any object of the kind changes; 0 as long as there never was one.
  func revision(of resource: Resource) -> UInt64
  /// All objects of the kind, in the order of their keys; in one namespace if it is given.
  func objects(of resource: Resource, namespace: String?) -> [KubernetesObject]
  /// What there is of the kind, in the order of the keys, not decoded yet.
  func versions(of resource: Resource) -> [ObjectVersion]
  /// One object; `nil` if there is none. `namespace` is empty for kinds of the cluster.
  func object(of resource: Resource, namespace: String, name: String) -> KubernetesObject?
  /// Those of a namespace whose field has a value: `spec.nodeName`.
  func objects(of resource: Resource, namespace: String, whereField path: String, is value: String)
    -> [KubernetesObject]
}

/// An object as it was at a revision, to be decoded by who does not know it yet.
public struct ObjectVersion: Sendable {
  public let key: ObjectKey
  public let revision: UInt64
  public let decode: @Sendable () -> KubernetesObject?

  public init(key: ObjectKey, revision: UInt64, decode: @escaping @Sendable () -> KubernetesObject?) {
    self.key = key
    self.revision = revision
    self.decode = decode
  }
}

extension ObjectReading {
  public func objects(of resource: Resource, namespace: String, whereField path: String, is value: String)
    -> [KubernetesObject]
  {
    let members = path.split(separator: ".").map(String.init)
    return objects(of: resource, namespace: namespace).filter { object in
      members.reduce(object.json) { $0[$1] }.string == value
    }
  }

  public func object(of resource: Resource, namespace: String, name: String) -> KubernetesObject? {
    objects(of: resource, namespace: namespace).first { $0.name == name }
  }
}
