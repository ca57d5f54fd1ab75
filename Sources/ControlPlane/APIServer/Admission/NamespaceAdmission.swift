import KubernetesAPI

/// Objects are created only in namespaces that are there and are not going away. Asked by the committer, so that no
/// object slips in behind a namespace's end.
struct NamespaceAdmission: Sendable {
  let cache: ObjectCache
  let kinds: KindIndex
  private let namespaces: Int?

  init(cache: ObjectCache, kinds: KindIndex) {
    self.cache = cache
    self.kinds = kinds
    namespaces = kinds.find(.namespaces)
  }

  func check(_ proposal: WriteProposal) throws(APIStatus) {
    guard proposal.expected == nil, case .put = proposal.change else { return }
    try check(kinds.definitions[proposal.kind].resource, proposal.key)
  }

  /// - Throws: `APIStatus` 404 or 403.
  func check(_ resource: Resource, _ key: ObjectKey) throws(APIStatus) {
    // A server without the kind Namespace has no such rule.
    guard resource.isNamespaced, let namespaces else { return }
    guard let namespace = cache.record(namespaces, ObjectKey(name: key.namespace)) else {
      throw APIStatus.notFound(.namespaces, key.namespace)
    }
    if namespace.marks.contains(.isBeingDeleted) {
      throw APIStatus.forbidden(
        resource, key.name,
        "unable to create new content in namespace \(key.namespace) because it is being terminated")
    }
  }
}
