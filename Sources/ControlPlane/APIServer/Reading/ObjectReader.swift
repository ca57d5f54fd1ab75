import KubernetesAPI

/// Reads the cache for parts inside of the server.
struct ObjectReader: ObjectReading {
  let cache: ObjectCache
  let kinds: KindIndex

  func revision(of resource: Resource) -> UInt64 {
    kinds.find(resource).map { cache.lastChange(of: $0) } ?? 0
  }

  func objects(of resource: Resource, namespace: String?) -> [KubernetesObject] {
    guard let kind = kinds.find(resource) else { return [] }
    var objects: [KubernetesObject] = []
    let first = namespace.map { ObjectKey(namespace: $0, name: "") }
    for (key, record) in cache.snapshot(of: kind).map.elements(from: first) {
      if let namespace, key.namespace != namespace { break }
      // Bytes that the server wrote itself always parse.
      if let object = try? record.object() { objects.append(object) }
    }
    return objects
  }

  func versions(of resource: Resource) -> [ObjectVersion] {
    guard let kind = kinds.find(resource) else { return [] }
    return cache.snapshot(of: kind).map.elements(from: nil).map { key, record in
      ObjectVersion(key: key, revision: record.revision) { try? record.object() }
    }
  }

  /// Decodes only what matches, where the kind keeps the field beside its bytes.
  func objects(of resource: Resource, namespace: String, whereField path: String, is value: String)
    -> [KubernetesObject]
  {
    guard let kind = kinds.find(resource),
      let field = kinds.definitions[kind].selectableFields.firstIndex(where: { $0.path == path })
    else { return [] }
    var objects: [KubernetesObject] = []
    for (key, record) in cache.snapshot(of: kind).map.elements(from: ObjectKey(namespace: namespace, name: "")) {
      if key.namespace != namespace { break }
      if record.fields[field] == value, let object = try? record.object() { objects.append(object) }
    }
    return objects
  }

  func object(of resource: Resource, namespace: String, name: String) -> KubernetesObject? {
    guard let kind = kinds.find(resource) else { return nil }
    return try? cache.record(kind, ObjectKey(namespace: namespace, name: name))?.object()
  }
}

extension APIServer: ObjectReading {
  private var reader: ObjectReader { ObjectReader(cache: cache, kinds: kinds) }

  public func revision(of resource: Resource) -> UInt64 { reader.revision(of: resource) }

  public func objects(of resource: Resource, namespace: String?) -> [KubernetesObject] {
    reader.objects(of: resource, namespace: namespace)
  }

  public func versions(of resource: Resource) -> [ObjectVersion] { reader.versions(of: resource) }

  public func objects(of resource: Resource, namespace: String, whereField path: String, is value: String)
    -> [KubernetesObject]
  {
    reader.objects(of: resource, namespace: namespace, whereField: path, is: value)
  }

  public func object(of resource: Resource, namespace: String, name: String) -> KubernetesObject? {
    reader.object(of: resource, namespace: namespace, name: name)
  }
}
