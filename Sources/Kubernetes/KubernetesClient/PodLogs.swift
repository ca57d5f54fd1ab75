import JSONDocument
public import KubernetesAPI

/// The node agent's own https API, as the kubelet has it: `GET /containerLogs/{namespace}/{pod}/{container}`.
public enum NodeAPI {
  public static let containerLogs = "containerLogs"

  /// The user that an API server is to node agents; nobody else is answered.
  public static let apiServer = UserInfo(name: "system:nagaya:apiserver")

  /// The path of a container's log. Names of Kubernetes objects need no escaping.
  public static func logPath(namespace: String, pod: String, container: String) -> String {
    "/\(containerLogs)/\(namespace)/\(pod)/\(container)"
  }
}

extension PodLogOptions {
  /// The parameters as a node agent takes them; the container stands in the path.
  public var query: [(name: String, value: String)] {
    var query: [(name: String, value: String)] = []
    if follow { query.append(("follow", "true")) }
    if previous { query.append(("previous", "true")) }
    if timestamps { query.append(("timestamps", "true")) }
    if let tailLines { query.append(("tailLines", String(tailLines))) }
    if let sinceSeconds { query.append(("sinceSeconds", String(sinceSeconds))) }
    if let sinceTime { query.append(("sinceTime", sinceTime.description)) }
    if let limitBytes { query.append(("limitBytes", String(limitBytes))) }
    return query
  }

  /// The options in a request of that form.
  /// - Throws: `badRequest` for a parameter that is not of its type.
  public init(container: String, request: APIRequest) throws(APIStatus) {
    func number(_ name: String) throws(APIStatus) -> Int? {
      guard let text = request.parameter(name) else { return nil }
      guard let number = Int(text), number >= 0 else {
        throw APIStatus(.badRequest, "parameter \(name) must be a number that is not negative")
      }
      return number
    }
    func flag(_ name: String) -> Bool { request.parameter(name) == "true" }
    self.init(
      container: container, follow: flag("follow"), previous: flag("previous"), timestamps: flag("timestamps"),
      tailLines: try number("tailLines"), sinceSeconds: try number("sinceSeconds"),
      limitBytes: try number("limitBytes"))
    if let text = request.parameter("sinceTime") {
      guard let time = Timestamp(text) else { throw APIStatus(.badRequest, "parameter sinceTime must be a time") }
      sinceTime = time
    }
  }

  /// The container whose log is meant.
  /// - Throws: `badRequest` when it is not named and there are several, or is not there.
  public func container(of pod: KubernetesObject) throws(APIStatus) -> String {
    func names(_ list: [JSONValue]) -> [String] { list.compactMap { $0["name"].string } }
    let containers = names(pod.spec["containers"].elements)
    let initContainers = names(pod.spec["initContainers"].elements)
    if let container {
      guard (containers + initContainers).contains(container) else {
        throw APIStatus(.badRequest, "container \(container.prefix(80)) is not valid for pod \(pod.name)")
      }
      return container
    }
    if let marked = pod.annotations["kubectl.kubernetes.io/default-container"], containers.contains(marked) {
      return marked
    }
    guard containers.count <= 1 else {
      var message =
        "a container name must be specified for pod \(pod.name), choose one of: [\(containers.joined(separator: " "))]"
      if !initContainers.isEmpty {
        message += " or one of the init containers: [\(initContainers.joined(separator: " "))]"
      }
      throw APIStatus(.badRequest, message)
    }
    guard let only = containers.first else { throw APIStatus(.badRequest, "pod \(pod.name) has no containers") }
    return only
  }

  /// What is said of a container that has no log yet.
  public static func notStarted(_ pod: KubernetesObject, _ container: String) -> APIStatus {
    let status = (pod.status["containerStatuses"].elements + pod.status["initContainerStatuses"].elements).first {
      $0["name"].string == container
    }
    let reason = status?["state"]["waiting"]["reason"].string ?? "ContainerCreating"
    let why =
      ["ErrImagePull", "ImagePullBackOff", "ImageNotFound"].contains(reason)
      ? "trying and failing to pull image" : reason
    return APIStatus(
      .badRequest, "container \"\(container)\" in pod \"\(pod.name)\" is waiting to start: \(why)")
  }
}
