import KubernetesAPI
import KubernetesClient

extension APIServer {
  /// Understands a request; `nil` if its path names no resource.
  func context(of request: APIRequest, from user: UserInfo) throws(APIStatus) -> RequestContext? {
    guard let target = RequestTarget(path: request.path) else { return nil }
    guard let kind = kinds.find(group: target.group, version: target.version, plural: target.plural) else {
      return nil
    }
    let definition = kinds.definitions[kind]
    if definition.resource.isNamespaced {
      if target.name != nil, target.namespace == nil { throw Self.noSuchResource }
    } else if target.namespace != nil {
      throw Self.noSuchResource
    }
    var subresource: ResourceDefinition.Subresource?
    if let name = target.subresource {
      guard let known = Self.subresources[name], definition.subresources.contains(known) else {
        throw Self.noSuchResource
      }
      subresource = known
    }
    let isWatch = target.name == nil && request.method == .get && request.flag("watch")
    let verb: RequestContext.Verb
    switch (request.method, target.name != nil) {
    case (.get, true): verb = .get
    case (.get, false): verb = isWatch ? .watch : .list
    case (.post, false): verb = .create
    case (.post, true) where subresource != nil: verb = .create
    case (.put, true): verb = .update
    case (.patch, true): verb = .patch
    case (.delete, true) where subresource == nil: verb = .delete
    // All namespaces at once are nobody's honest wish.
    case (.delete, false) where definition.resource != .namespaces: verb = .deletecollection
    default:
      throw APIStatus(
        .methodNotAllowed, "the server does not allow this method on the requested resource",
        resource: definition.resource)
    }
    return RequestContext(
      request: request, user: user, definition: definition, kind: kind, namespace: target.namespace ?? "",
      name: target.name ?? "", subresource: subresource, subresourceName: target.subresource ?? "", verb: verb)
  }

  private static let subresources: [String: ResourceDefinition.Subresource] = [
    "status": .status, "scale": .scale, "log": .log, "binding": .binding, "eviction": .eviction,
    "finalize": .finalize,
  ]
}
