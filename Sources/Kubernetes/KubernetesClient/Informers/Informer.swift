import JSONDocument
import KubernetesAPI
import Locking
import Logging
public import ProcessMetrics
import ServiceLifecycle

/// A change of an informer's cache.
public enum InformerEvent: Sendable {
  case added(KubernetesObject)
  case updated(old: KubernetesObject, new: KubernetesObject)
  case deleted(KubernetesObject)

  /// The object as it is now, or as it was last.
  public var object: KubernetesObject {
    switch self {
    case .added(let object), .updated(_, let object), .deleted(let object): object
    }
  }
}

/// Keeps a copy of the objects of one kind by a list and a watch, and tells of their changes in order.
///
/// It resumes where a watch ended, lists anew when the server no longer keeps that version (410), and waits longer
/// after each failure (0.2 s doubling to 30 s, with jitter), though not when a server that was away is back. An idle informer
/// does nothing but wait for bytes.
public final class Informer: Service, Sendable {
  public typealias Handler = @Sendable (InformerEvent) -> Void

  public let resource: Resource
  public let cache: ObjectCache
  private let client: KubernetesClient
  private let namespace: String?
  private let labels: LabelSelector
  private let fields: String?
  private let transform: (@Sendable (KubernetesObject) -> KubernetesObject)?
  private let logger: Logger
  private let synced = Latch()
  /// Held while a change is applied and told, so that a handler that joins later misses nothing and hears nothing twice.
  private let handlers = Mutex<[Handler]>([])
  private let counts = Mutex(Counts())
  /// Raised when a server that was away is back.
  private let returned = Signal()
  private let pause: @Sendable (Duration) async throws -> Void

  /// What the informer did so far.
  public struct Counts: Sendable, Hashable {
    public var lists = 0
    public var watches = 0
    public var events = 0
    public var bookmarks = 0
    public var failures = 0
  }

  /// - Parameters:
  ///   - namespace: only objects of this namespace; `nil`: of all.
  ///   - fields: a field selector, such as `spec.nodeName=a`.
  ///   - indexes: further ways to find objects in `cache`.
  ///   - transform: what is kept and told of an object, if that is less than all; its metadata must stay.
  public convenience init(
    _ client: KubernetesClient, _ resource: Resource, namespace: String? = nil,
    labels: LabelSelector = LabelSelector(), fields: String? = nil, indexes: [CacheIndex] = [],
    transform: (@Sendable (KubernetesObject) -> KubernetesObject)? = nil, logger: Logger
  ) {
    self.init(
      client, resource, namespace: namespace, labels: labels, fields: fields, indexes: indexes, transform: transform,
      logger: logger
    ) { try await Task.sleep(for: $0) }
  }

  /// - Parameter pause: takes the time between two tries.
  init(
    _ client: KubernetesClient, _ resource: Resource, namespace: String? = nil,
    labels: LabelSelector = LabelSelector(), fields: String? = nil, indexes: [CacheIndex] = [],
    transform: (@Sendable (KubernetesObject) -> KubernetesObject)? = nil, logger: Logger,
    pause: @escaping @Sendable (Duration) async throws -> Void
  ) {
    self.client = client
    self.pause = pause
    self.resource = resource
    self.namespace = namespace
    self.labels = labels
    self.fields = fields
    self.transform = transform
    self.cache = ObjectCache(indexes: indexes)
    var logger = logger
    logger[metadataKey: "resource"] = "\(resource.qualifiedPlural)"
    self.logger = logger
    reachability?.onReturn { [weak self] in
      self?.returned.raise()
      return self != nil
    }
    MetricsRegistry.process.add(self)
  }

  /// Of the server that it follows.
  var reachability: Reachability? { client.transport.reachability }

  /// Calls `handler` for every object there is (as added) and for every change from then on, in order.
  ///
  /// It runs on the informer's task and holds up all further events: it should do little, such as adding a key to a
  /// queue, and must not add handlers.
  public func onEvent(_ handler: @escaping Handler) {
    handlers.withLock { handlers in
      for object in cache.list() { handler(.added(object)) }
      handlers.append(handler)
    }
  }

  /// The first list has been taken.
  public var isSynced: Bool { synced.isOpen }

  /// Returns once the first list is in the cache and has been told to the handlers.
  /// - Throws: `CancellationError`.
  public func waitUntilSynced() async throws { try await synced.wait() }

  public var counters: Counts { counts.withLock { $0 } }

  public func run() async throws {
    await cancelWhenGracefulShutdown {
      await self.follow()
    }
  }

  private func follow() async {
    var version: String?
    // Failures in a row, and lists in a row of which the server at once no longer knew the version.
    var (failures, expirations) = (0, 0)
    while !Task.isCancelled {
      let began = ContinuousClock.now
      do {
        if version == nil {
          version = try await relist()
          synced.open()
          // It answers: how long it was away says nothing of the watch that follows.
          failures = 0
        }
        try await watch(from: &version)
        // A server that ends watches at once must not be asked in a tight loop.
        failures = began.duration(to: .now) < .seconds(1) ? failures + 1 : 0
        expirations = 0
      } catch let status as APIStatus where status.isExpired {
        logger.info("list anew, the watched version is no longer kept", metadata: ["version": "\(version ?? "")"])
        version = nil
        expirations += 1
        failures = expirations
      } catch {
        if Task.isCancelled { return }
        expirations = 0
        counts.withLock { $0.failures += 1 }
        if began.duration(to: .now) > .seconds(10) { failures = 0 }
        if failures == 0 { logger.warning("cannot list or watch, trying again", metadata: ["error": "\(error)"]) }
        failures += 1
      }
      if failures > 0 {
        let (wait, pause) = (Self.backoff(after: failures), pause)
        await returned.wait(orUntil: { try await pause(wait) })
      }
    }
  }

  /// 0.2 s doubling to 30 s, of which a random half is taken off. The first repetition is soon (10 ms).
  static func backoff(after failures: Int) -> Duration {
    if failures <= 1 { return .milliseconds(10) }
    let full = min(200 << min(failures - 2, 10), 30_000)
    return .milliseconds(Int.random(in: full / 2...full))
  }

  /// Lists page by page, and tells the differences to what was known.
  private func relist() async throws -> String {
    counts.withLock { $0.lists += 1 }
    var seen: Set<ObjectKey> = []
    var next: String?
    var version = ""
    repeat {
      let page = try await client.listPage(
        resource, namespace: namespace, labels: labels, fields: fields, continuing: next)
      for object in page.items {
        seen.insert(object.key)
        if cache.resourceVersion(of: object.key) != object.resourceVersion { apply(object, bytes: nil) }
      }
      next = page.next
      version = page.resourceVersion
    } while next != nil
    for key in cache.keys where !seen.contains(key) { remove(key, last: nil) }
    return version
  }

  private func watch(from version: inout String?) async throws {
    counts.withLock { $0.watches += 1 }
    // The server ends the watch after some minutes, so that watches are spread anew over several servers.
    let events = try await client.watch(
      resource, namespace: namespace, labels: labels, fields: fields, from: version ?? "",
      timeoutSeconds: Int.random(in: 300...600))
    var iterator = events.makeAsyncIterator()
    while let (event, bytes) = try await iterator.nextWithBytes() {
      switch event {
      case .added(let object), .modified(let object):
        counts.withLock { $0.events += 1 }
        version = object.resourceVersion
        apply(object, bytes: bytes)
      case .deleted(let object):
        counts.withLock { $0.events += 1 }
        version = object.resourceVersion
        remove(object.key, last: object)
      case .bookmark(let bookmark):
        counts.withLock { $0.bookmarks += 1 }
        version = bookmark
      }
    }
  }

  private func apply(_ whole: KubernetesObject, bytes: [UInt8]?) {
    let object = transform?(whole) ?? whole
    let bytes = transform == nil ? bytes : nil
    handlers.withLock { handlers in
      let old = cache.store(object, bytes: bytes)
      let event: InformerEvent
      if let old, old.uid == object.uid {
        if old.resourceVersion == object.resourceVersion { return }
        event = .updated(old: old, new: object)
      } else {
        if let old { for handler in handlers { handler(.deleted(old)) } }
        event = .added(object)
      }
      for handler in handlers { handler(event) }
    }
  }

  private func remove(_ key: ObjectKey, last: KubernetesObject?) {
    handlers.withLock { handlers in
      guard let old = cache.remove(key) else { return }
      for handler in handlers { handler(.deleted(last ?? old)) }
    }
  }
}

extension Informer: MetricsSource {
  public var metrics: MetricsText {
    let (counts, resource) = (counters, resource.qualifiedPlural)
    var text = MetricsText()
    text.gauge("nagaya_informer_objects", "Objects that are kept.", cache.count, ["resource": resource])
    text.gauge(
      "nagaya_informer_bytes", "Bytes of JSON of the objects that are kept.", cache.byteCount, ["resource": resource])
    text.gauge(
      "nagaya_informer_synced", "Informers that have taken their first list.", isSynced ? 1 : 0, ["resource": resource])
    text.counter("nagaya_informer_events_total", "Changes that were told.", counts.events, ["resource": resource])
    text.counter("nagaya_informer_lists_total", "Lists that were taken.", counts.lists, ["resource": resource])
    text.counter("nagaya_informer_watches_total", "Watches that were begun.", counts.watches, ["resource": resource])
    text.counter(
      "nagaya_informer_failures_total", "Lists and watches that failed.", counts.failures, ["resource": resource])
    return text
  }
}
