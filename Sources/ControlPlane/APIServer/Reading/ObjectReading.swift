import KubernetesAPI

/// Reads the newest committed objects, for parts that decide on every request (authorization, authentication).
public protocol ObjectReading: Sendable {
  /// Changes whenever any object of the kind changes; 0 as long as there never was one.
  func revision(of resource: Resource) -> UInt64
  /// All objects of the kind, in the order of their keys; in one namespace if it is given.
  func objects(of resource: Resource, namespace: String?) -> [KubernetesObject]
  /// One object; `nil` if there is none. `namespace` is empty for kinds of the cluster.
  func object(of resource: Resource, namespace: String, name: String) -> KubernetesObject?
  /// Those of a namespace whose field has a value: `spec.nodeName`.
  func objects(of resource: Resource, namespace: String, whereField path: String, is value: String)
    -> [KubernetesObject]
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
