import JSONDocument
import KubernetesAPI
import KubernetesClient

extension RoutingTable {
  /// Follows Applications.
  public func apply(application event: InformerEvent) {
    switch event {
    case .deleted(let application): removeApp(application.key)
    case .added(let application), .updated(_, let application):
      let ready = application.status["conditions"].elements.first { $0["type"].string == "Ready" }
      setApp(
        application.key, reason: ready?["reason"].string ?? "", message: ready?["message"].string ?? "")
    }
  }

  /// Follows namespaces: their labels say which environment of which tenant they are.
  public func apply(namespace event: InformerEvent) {
    switch event {
    case .deleted(let namespace): setEnvironment(nil, ofNamespace: namespace.name)
    case .added(let namespace), .updated(_, let namespace):
      setEnvironment(TenantEnvironment(namespace: namespace), ofNamespace: namespace.name)
    }
  }

  /// Follows EndpointSlices; those of no service are left aside.
  public func apply(endpointSlice event: InformerEvent) {
    switch event {
    case .deleted(let slice): removeSlice(slice.key)
    case .added(let slice), .updated(_, let slice):
      guard let service = slice.labels["kubernetes.io/service-name"] else { return removeSlice(slice.key) }
      setSlice(
        slice.key, service: ObjectKey(namespace: slice.namespace, name: service), backends: Self.readyBackends(slice))
    }
  }

  /// Follows pods: what a slice says of one counts only if it is true.
  public func apply(pod event: InformerEvent) {
    switch event {
    case .deleted(let pod): setPod(pod.key, nil)
    case .added(let pod), .updated(_, let pod): setPod(pod.key, PodAddresses(of: pod))
    }
  }

  /// The addresses of a slice that take new requests: ready, not terminating (discovery.k8s.io/v1). A missing `ready`
  /// counts as ready, as the API says. Only the first TCP port is used; our services have one.
  ///
  /// Endpoints that are no pods of the slice's own namespace are left out.
  static func readyBackends(_ slice: KubernetesObject) -> [Backend] {
    guard
      let port = slice["ports"].elements.first(where: { ($0["protocol"].string ?? "TCP") == "TCP" })?["port"].int,
      (1...65_535).contains(port)
    else { return [] }
    return slice["endpoints"].elements.flatMap { endpoint -> [Backend] in
      let conditions = endpoint["conditions"]
      guard conditions["ready"].bool ?? true, !(conditions["terminating"].bool ?? false) else { return [] }
      let target = endpoint["targetRef"]
      guard target["kind"].string == "Pod", let name = target["name"].string, let uid = target["uid"].string,
        (target["namespace"].string ?? slice.namespace) == slice.namespace
      else { return [] }
      let pod = PodIdentity(key: ObjectKey(namespace: slice.namespace, name: name), uid: uid)
      // All of an endpoint's addresses are the same pod: the first is used (discovery.k8s.io/v1).
      return endpoint["addresses"].elements.prefix(1).compactMap(\.string).map {
        Backend(endpoint: Endpoint(address: $0, port: port), pod: pod)
      }
    }
  }
}
