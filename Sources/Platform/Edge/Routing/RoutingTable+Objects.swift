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

  /// Follows EndpointSlices; those of no service are left aside.
  public func apply(endpointSlice event: InformerEvent) {
    switch event {
    case .deleted(let slice): removeSlice(slice.key)
    case .added(let slice), .updated(_, let slice):
      guard let service = slice.labels["kubernetes.io/service-name"] else { return removeSlice(slice.key) }
      setSlice(
        slice.key, service: ObjectKey(namespace: slice.namespace, name: service), ready: Self.readyEndpoints(slice))
    }
  }

  /// The addresses of a slice that take new requests: ready, not terminating (discovery.k8s.io/v1). A missing `ready`
  /// counts as ready, as the API says. Only the first TCP port is used; our services have one.
  static func readyEndpoints(_ slice: KubernetesObject) -> [Endpoint] {
    guard let port = slice["ports"].elements.first(where: { ($0["protocol"].string ?? "TCP") == "TCP" })?["port"].int
    else { return [] }
    return slice["endpoints"].elements.flatMap { endpoint -> [Endpoint] in
      let conditions = endpoint["conditions"]
      guard conditions["ready"].bool ?? true, !(conditions["terminating"].bool ?? false) else { return [] }
      return endpoint["addresses"].elements.compactMap(\.string).map { Endpoint(address: $0, port: port) }
    }
  }
}
