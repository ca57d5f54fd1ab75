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
        if definition.resource == .pods, let refusal = Self.refusal(ofPodSubresource: name) { throw refusal }
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

  /// Why what Kubernetes knows of pods and this server does not offer is refused.
  private static func refusal(ofPodSubresource name: String) -> APIStatus? {
    let why =
      switch name {
      case "exec": "commands can't be run in containers over this server; see what they say with kubectl logs"
      case "attach": "containers can't be attached to over this server; follow what they say with kubectl logs -f"
      case "portforward", "proxy":
        "ports of pods are not forwarded by this server; from this machine, ask the pod's address (kubectl get pod -o wide)"
      case "ephemeralcontainers": "containers can't be added to a running pod; start a pod of its own with kubectl run"
      default: ""
      }
    return why.isEmpty ? nil : APIStatus(.methodNotAllowed, why, resource: .pods)
  }

  private static let subresources: [String: ResourceDefinition.Subresource] = [
    "status": .status, "scale": .scale, "log": .log, "binding": .binding, "eviction": .eviction,
    "finalize": .finalize,
  ]
}
