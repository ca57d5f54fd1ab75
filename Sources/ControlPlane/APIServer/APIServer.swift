import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import ObjectStore
import ServiceLifecycle

/// The Kubernetes API over a store of bytes: reads come from the cache, writes go through one commit queue.
///
/// It answers requests as soon as it is made. `run()` adds what goes on in the background: garbage collection, bookmarks,
/// quota status, maintenance of the store; when that ends, every watch ends.
public final class APIServer: APIRequestHandling, Service {
  public let registry: ResourceRegistry
  public let configuration: APIServerConfiguration
  let store: any ObjectStoring
  let cache: ObjectCache
  let hub: WatchHub
  let commits: CommitQueue
  let interner = Interner()
  /// What is stored and could not be read at the start.
  let setApart: ObjectsSetApart
  let counting = ServerCounters()
  let collector: GarbageCollector
  let quotas: QuotaLedger
  let shelf: SnapshotShelf
  let flows: FlowControl
  let kinds: KindIndex
  let documents: DiscoveryDocuments
  /// By kind, as in `kinds`.
  let tables: [TableRenderer]
  let authorizer: any Authorizing
  let virtualResources: [any VirtualResourceHandling]
  let admission: [any WriteAdmitting]
  let logs: (any PodLogSource)?
  let logger: Logger

  /// Reads everything the store holds, and is ready to answer.
  /// - Parameters:
  ///   - authorizer: made with a reader of the objects that decisions depend on
  ///   - virtualResources: asked before the stored resources, in this order
  ///   - admission: rules over writes, asked in this order
  ///   - logs: where `…/pods/NAME/log` reads; without it such requests are refused
  /// - Throws: `StoreError` if the store cannot be read.
  public init(
    store: any ObjectStoring, registry: ResourceRegistry,
    authorizer: (any ObjectReading) -> any Authorizing = { _ in AllowAll() },
    virtualResources: (any ObjectReading, any Authorizing) -> [any VirtualResourceHandling] = { _, _ in [] },
    admission: (any ObjectReading) -> [any WriteAdmitting] = { _ in [] },
    logs: (any PodLogSource)? = nil, configuration: APIServerConfiguration = APIServerConfiguration(), logger: Logger
  ) async throws(StoreError) {
    self.store = store
    self.registry = registry
    self.configuration = configuration
    self.logs = logs
    self.logger = logger
    let kinds = KindIndex(registry)
    self.kinds = kinds
    documents = DiscoveryDocuments(registry)
    tables = kinds.definitions.map(TableRenderer.init)
    let cache = ObjectCache(kinds: kinds.definitions.count)
    self.cache = cache
    let setApart = ObjectsSetApart()
    self.setApart = setApart
    try await Self.load(from: store, into: cache, kinds, interner, setApart)
    for object in setApart.all {
      logger.error(
        "a stored object is set apart, the rest runs",
        metadata: ["object": "\(object.key)", "reason": "\(object.reason)"])
    }
    let hub = WatchHub(kinds: kinds.definitions.count, cache: cache, configuration: configuration, counters: counting)
    self.hub = hub
    let quotas = QuotaLedger(cache: cache, kinds: kinds)
    self.quotas = quotas
    let collector = GarbageCollector(cache: cache, kinds: kinds, setApart: setApart, logger: logger)
    self.collector = collector
    shelf = SnapshotShelf(configuration)
    flows = FlowControl(configuration, counters: counting)
    let namespaceAdmission = NamespaceAdmission(cache: cache, kinds: kinds)
    commits = CommitQueue(
      store: store, cache: cache, resourceKeys: kinds.storeKeys, counters: counting, logger: logger,
      admit: { (proposal, account) throws(APIStatus) in
        if let refusal = setApart.refusal(ofWriteTo: proposal.key, kind: proposal.kind, kinds) { throw refusal }
        try namespaceAdmission.check(proposal)
        try quotas.reserve(proposal, &account)
      },
      publish: { changes in
        hub.publish(changes)
        quotas.note(changes)
        collector.note(changes)
      })
    let reader = ObjectReader(cache: cache, kinds: kinds)
    self.authorizer = authorizer(reader)
    self.admission = admission(reader)
    self.virtualResources = virtualResources(reader, self.authorizer)
    logger.info(
      "objects loaded",
      metadata: ["revision": "\(cache.revision)", "kinds": "\(kinds.definitions.count)"])
  }

  private static func load(
    from store: any ObjectStoring, into cache: ObjectCache, _ kinds: KindIndex, _ interner: Interner,
    _ setApart: ObjectsSetApart
  ) async throws(StoreError) {
    let revision = try await store.revision()
    for (kind, definition) in kinds.definitions.enumerated() {
      func take(_ objects: [StoredObject]) {
        var records: [ObjectRecord] = []
        for stored in objects {
          switch ObjectsSetApart.understand(stored) {
          case .success(let object):
            let draft = ObjectDraft(object, of: definition, interner: interner)
            records.append(ObjectRecord(draft, revision: stored.revision, finalBytes: stored.value))
          case .failure(let damage): setApart.add(damage, kind: kind)
          }
        }
        cache.load(records, of: kind, revision: revision)
      }
      var after: StoreKey?
      do throws(StoreError) {
        repeat {
          let page = try await store.read(resource: kinds.storeKeys[kind], after: after, limit: 500, at: revision)
          take(page.objects)
          after = page.hasMore ? page.objects.last?.key : nil
        } while after != nil
      } catch {
        // A damaged page costs what is on it; a store that cannot be opened at all has failed before.
        guard case .corrupt = error else { throw error }
        let rest = try await store.salvage(resource: kinds.storeKeys[kind])
        take(
          rest.objects.filter { cache.record(kind, ObjectKey(namespace: $0.key.namespace, name: $0.key.name)) == nil })
        setApart.add(page: rest.damage ?? "\(error)", of: kinds.storeKeys[kind], kind: kind)
      }
    }
    cache.load([], of: 0, revision: revision)
  }

  /// A client within the process.
  public func client(as user: UserInfo = .component("apiserver"), userAgent: String? = nil) -> KubernetesClient {
    KubernetesClient(InProcessTransport(self, as: user), userAgent: userAgent ?? user.name)
  }

  /// What the server has done and holds.
  public var counters: APIServerCounters {
    var counters = counting.snapshot
    for (kind, definition) in kinds.definitions.enumerated() {
      let size = cache.size(of: kind)
      counters.storedBytes += size.bytes
      counters.estimatedOverheadBytes += size.overhead
      if size.objects > 0 {
        counters.kinds.append(
          .init(resource: definition.resource.qualifiedPlural, objects: size.objects, bytes: size.bytes))
      }
    }
    (counters.watchers, counters.historyBytes) = hub.size
    (counters.seatsHeld, counters.requestsWaiting, counters.lastingRequests) = flows.size
    return counters
  }

  // MARK: Answering

  public func respond(to request: APIRequest, from user: UserInfo) async -> APIResponse {
    counting.requested()
    do throws(APIStatus) {
      let flow = flow(of: user, asking: request)
      guard flow.level != .exempt else { return try await answer(request, from: user) }
      var work = work(of: request)
      work.bytes = request.body.count
      let permit = try await flows.admit(flow, work)
      // A refusal ends the permit, too: nobody knows it any more.
      return holding(permit, work, try await answer(request, from: user))
    } catch {
      return Self.refusal(error)
    }
  }

  private func answer(_ request: APIRequest, from user: UserInfo) async throws(APIStatus) -> APIResponse {
    let user = try await identity(for: request, from: user)
    for handler in virtualResources {
      if let response = await handler.respond(to: request, from: user) { return response }
    }
    guard let context = try context(of: request, from: user) else {
      return try await respondToOtherPath(request, from: user)
    }
    return try await carryOut(context)
  }

  private func carryOut(_ context: RequestContext) async throws(APIStatus) -> APIResponse {
    try await authorize(context.access)
    if let subresource = context.subresource { return try await respond(to: context, subresource) }
    switch context.verb {
    case .get: return try get(context)
    case .list: return try list(context)
    case .watch: return try watch(context)
    case .create: return try await create(context)
    case .update: return try await update(context)
    case .patch: return try await patch(context)
    case .delete: return try await delete(context)
    case .deletecollection: return try await deleteCollection(context)
    }
  }

  func authorize(_ access: AccessAttributes) async throws(APIStatus) {
    let decision = await authorizer.decide(access)
    guard !decision.isAllowed else { return }
    let user = "User \"\(access.user.name)\" cannot \(access.verb)"
    let reason = decision.reason.isEmpty ? "" : ": \(decision.reason)"
    if let path = access.nonResourcePath { throw APIStatus(.forbidden, "forbidden: \(user) path \"\(path)\"\(reason)") }
    let plural = access.subresource.isEmpty ? access.resource : "\(access.resource)/\(access.subresource)"
    let place = access.namespace.isEmpty ? "at the cluster scope" : "in the namespace \"\(access.namespace)\""
    let resource = kinds.find(group: access.group, version: access.version, plural: access.resource)
      .map { kinds.definitions[$0].resource }
    let name = access.name.isEmpty ? "" : " \"\(access.name)\""
    let group = access.group.isEmpty ? "" : ".\(access.group)"
    throw APIStatus(
      .forbidden,
      "\(access.resource)\(group)\(name) is forbidden: \(user) resource \"\(plural)\" in API group \"\(access.group)\" \(place)\(reason)",
      resource: resource, name: access.name.isEmpty ? nil : access.name)
  }

  private func respondToOtherPath(_ request: APIRequest, from user: UserInfo) async throws(APIStatus) -> APIResponse {
    try await authorize(
      AccessAttributes(user: user, verb: request.method.rawValue.lowercased(), nonResourcePath: request.path))
    if request.path == "/metrics", request.method == .get { return metricsResponse() }
    if let response = discovery(request) { return response }
    throw Self.noSuchResource
  }

  /// The answer that refuses.
  public static func refusal(_ status: APIStatus) -> APIResponse {
    APIResponse(
      status: status.code, headers: status.retryAfterSeconds.map { [("Retry-After", String($0))] } ?? [],
      body: .bytes(status.json.encoded()))
  }

  static var noSuchResource: APIStatus { APIStatus(.notFound, "the server could not find the requested resource") }

  // MARK: Background

  /// Works in the background until it is cancelled or the process shuts down gracefully; then every watch ends.
  public func run() async throws {
    let shutdown = ShutdownGate()
    await withGracefulShutdownHandler {
      await withTaskCancellationHandler {
        await withTaskGroup(of: Void.self) { group in
          group.addTask { await self.collector.run(on: self) }
          group.addTask { await self.quotas.run(on: self) }
          group.addTask { await self.tick() }
          group.addTask { await self.maintainStore() }
          await shutdown.wait()
          group.cancelAll()
        }
      } onCancel: {
        shutdown.open()
      }
    } onGracefulShutdown: {
      shutdown.open()
    }
    hub.end()
  }

  private func tick() async {
    while !Task.isCancelled {
      try? await Task.sleep(for: .milliseconds(250))
      hub.tick()
      shelf.expire()
      flows.expire()
    }
  }

  private func maintainStore() async {
    while !Task.isCancelled {
      try? await Task.sleep(for: configuration.storeMaintenanceInterval)
      if Task.isCancelled { return }
      do { try await store.maintain() } catch {
        logger.warning("the store's maintenance failed", metadata: ["error": "\(error)"])
      }
    }
  }
}
