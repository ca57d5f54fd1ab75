import JSONDocument
import KubernetesAPI

/// A client of the Kubernetes API over any transport. All refusals are thrown as `APIStatus`.
public struct KubernetesClient: Sendable {
  public let transport: any APITransport
  /// Sent as `User-Agent`, and as field manager of writes.
  public let userAgent: String

  public init(_ transport: any APITransport, userAgent: String) {
    self.transport = transport
    self.userAgent = userAgent
  }

  // MARK: Reading

  public func get(_ resource: Resource, namespace: String = "", name: String) async throws -> KubernetesObject {
    try await object(APIRequest(.get, resource.path(namespace: namespace, name: name)))
  }

  /// The object, or `nil` if there is none.
  public func getIfPresent(_ resource: Resource, namespace: String = "", name: String) async throws
    -> KubernetesObject?
  {
    do { return try await get(resource, namespace: namespace, name: name) } catch let status as APIStatus
      where status.isNotFound
    { return nil }
  }

  /// Every object that matches; pages of 500 under way.
  /// - Returns: the objects and the list's resourceVersion, from which a watch can begin.
  public func list(
    _ resource: Resource, namespace: String? = nil, labels: LabelSelector = LabelSelector(),
    fields: String? = nil
  ) async throws -> (items: [KubernetesObject], resourceVersion: String) {
    var items: [KubernetesObject] = []
    var next: String?
    repeat {
      let page = try await listPage(resource, namespace: namespace, labels: labels, fields: fields, continuing: next)
      items += page.items
      next = page.next
      if next == nil { return (items, page.resourceVersion) }
    } while true
  }

  /// One page of a list.
  /// - Parameter continuing: `next` of the page before.
  /// - Returns: the objects, the token of the page after it (`nil`: this is the last one), and the list's resourceVersion.
  public func listPage(
    _ resource: Resource, namespace: String? = nil, labels: LabelSelector = LabelSelector(),
    fields: String? = nil, continuing: String? = nil, limit: Int = 500
  ) async throws -> (items: [KubernetesObject], next: String?, resourceVersion: String) {
    var query = [(name: "limit", value: String(limit))]
    if !labels.isEmpty { query.append(("labelSelector", labels.text)) }
    if let fields { query.append(("fieldSelector", fields)) }
    if let continuing { query.append(("continue", continuing)) }
    let list = try await json(APIRequest(.get, resource.path(namespace: namespace), query: query))
    let items = list["items"].elements.map { item in
      var object = KubernetesObject(json: item)
      // Items of a typed list carry neither; put them back, so that each object stands for itself.
      object["apiVersion"] = .string(resource.apiVersion)
      object["kind"] = .string(resource.kind)
      return object
    }
    let next = list["metadata"]["continue"].string.flatMap { $0.isEmpty ? nil : $0 }
    return (items, next, list["metadata"]["resourceVersion"].string ?? "")
  }

  /// Changes after `resourceVersion`, in order, with bookmarks. The stream ends when the server ends it;
  /// an expired version is thrown as an `APIStatus` with `isExpired`.
  public func watch(
    _ resource: Resource, namespace: String? = nil, labels: LabelSelector = LabelSelector(),
    fields: String? = nil, from resourceVersion: String, timeoutSeconds: Int? = nil
  ) async throws -> WatchEvents {
    var query = [
      (name: "watch", value: "true"), (name: "resourceVersion", value: resourceVersion),
      (name: "allowWatchBookmarks", value: "true"),
    ]
    if !labels.isEmpty { query.append(("labelSelector", labels.text)) }
    if let fields { query.append(("fieldSelector", fields)) }
    if let timeoutSeconds { query.append(("timeoutSeconds", String(timeoutSeconds))) }
    let response = try await send(APIRequest(.get, resource.path(namespace: namespace), query: query))
    switch response.body {
    case .stream(let stream): return WatchEvents(stream)
    case .bytes(let bytes): return WatchEvents(ByteStream(SingleChunk(bytes)))
    }
  }

  // MARK: Writing

  /// Creates the object in its own namespace.
  @discardableResult
  public func create(_ object: KubernetesObject, as resource: Resource, dryRun: Bool = false) async throws
    -> KubernetesObject
  {
    try await write(.post, resource.path(namespace: object.namespace), object, dryRun: dryRun)
  }

  /// Replaces the object. Its resourceVersion is the precondition; a conflict is thrown if the object has moved on.
  @discardableResult
  public func update(_ object: KubernetesObject, as resource: Resource) async throws -> KubernetesObject {
    try await write(.put, resource.path(namespace: object.namespace, name: object.name), object)
  }

  /// Replaces only the object's status.
  @discardableResult
  public func updateStatus(_ object: KubernetesObject, as resource: Resource) async throws -> KubernetesObject {
    try await write(
      .put, resource.path(namespace: object.namespace, name: object.name, subresource: "status"), object)
  }

  /// The media types of patches.
  public enum PatchType: String, Sendable {
    case json = "application/json-patch+json"
    case merge = "application/merge-patch+json"
    case strategicMerge = "application/strategic-merge-patch+json"
  }

  @discardableResult
  public func patch(
    _ resource: Resource, namespace: String = "", name: String, subresource: String? = nil,
    _ patch: JSONValue, type: PatchType = .merge
  ) async throws -> KubernetesObject {
    try await object(
      APIRequest(
        .patch, resource.path(namespace: namespace, name: name, subresource: subresource),
        query: [("fieldManager", userAgent)], contentType: type.rawValue, body: patch.encoded()))
  }

  /// How owners' dependents go (`metav1.DeletionPropagation`).
  public enum Propagation: String, Sendable {
    case background = "Background"
    case foreground = "Foreground"
    case orphan = "Orphan"
  }

  /// Asks for deletion; finalizers and grace periods may keep the object for a while.
  public func delete(
    _ resource: Resource, namespace: String = "", name: String, uid: String? = nil,
    gracePeriodSeconds: Int? = nil, propagation: Propagation? = nil
  ) async throws {
    var options: JSONValue = ["apiVersion": "v1", "kind": "DeleteOptions"]
    if let uid { options["preconditions"]["uid"] = .string(uid) }
    if let gracePeriodSeconds { options["gracePeriodSeconds"] = JSONValue(gracePeriodSeconds) }
    if let propagation { options["propagationPolicy"] = .string(propagation.rawValue) }
    _ = try await json(
      APIRequest(
        .delete, resource.path(namespace: namespace, name: name), contentType: "application/json",
        body: options.encoded()))
  }

  // MARK: Raw access

  /// Sends any request and reads the whole answer as JSON.
  public func json(_ request: APIRequest) async throws -> JSONValue {
    try JSONValue(parsing: try await bytes(request), limits: JSONLimits(bytes: 1 << 30))
  }

  /// Sends any request and reads the whole answer.
  public func bytes(_ request: APIRequest) async throws -> [UInt8] {
    try await send(request).body.collect()
  }

  /// Sends any request; answers of 400 and above are thrown.
  public func send(_ request: APIRequest) async throws -> APIResponse {
    var request = request
    request.userAgent = userAgent
    if request.accept == nil { request.accept = "application/json" }
    let response = try await transport.send(request)
    guard response.status < 400 else {
      let body = try await response.body.collect()
      throw APIStatus(
        json: (try? JSONValue(parsing: body)) ?? [
          "message": .string(String(decoding: body.prefix(500), as: UTF8.self))
        ],
        httpStatus: response.status)
    }
    return response
  }

  private func object(_ request: APIRequest) async throws -> KubernetesObject {
    KubernetesObject(json: try await json(request))
  }

  private func write(_ method: APIRequest.Method, _ path: String, _ object: KubernetesObject, dryRun: Bool = false)
    async throws -> KubernetesObject
  {
    var query = [(name: "fieldManager", value: userAgent)]
    if dryRun { query.append(("dryRun", "All")) }
    return try await self.object(
      APIRequest(method, path, query: query, contentType: "application/json", body: object.json.encoded()))
  }
}

extension APIResponse.Body {
  /// All bytes, in one piece.
  public func collect() async throws -> [UInt8] {
    switch self {
    case .bytes(let bytes): return bytes
    case .stream(let stream):
      var all: [UInt8] = []
      for try await chunk in stream { all += chunk }
      return all
    }
  }
}

/// A sequence of one chunk.
struct SingleChunk: AsyncSequence, Sendable {
  typealias Element = [UInt8]
  let bytes: [UInt8]
  init(_ bytes: [UInt8]) { self.bytes = bytes }

  struct AsyncIterator: AsyncIteratorProtocol {
    var bytes: [UInt8]?
    mutating func next() async -> [UInt8]? { bytes.take() }
  }
  func makeAsyncIterator() -> AsyncIterator { AsyncIterator(bytes: bytes) }
}

extension APIStatus {
  /// A creation was refused because the namespace is being deleted.
  public var isNamespaceTerminating: Bool {
    reason == .forbidden && message.contains("because it is being terminated")
  }
}
