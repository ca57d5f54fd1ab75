import KubernetesAPI
import Locking
import Logging
public import ProcessMetrics
import ServiceLifecycle

/// What a reconcile came to.
public enum ReconcileResult: Sendable, Hashable {
  case done
  /// Look again after this time, even if nothing changes.
  case requeueAfter(Duration)
}

/// Works on keys whenever something about them may have changed, until the world is as it should be.
///
/// Reconciles of one key never overlap. A failed one is repeated with back-off; a conflict (somebody else wrote first)
/// is repeated silently. Graceful shutdown lets the reconciles under way finish.
public final class Controller<Key: Hashable & Sendable & CustomStringConvertible>: Service, Sendable {
  public typealias Reconcile = @Sendable (Key) async throws -> ReconcileResult

  /// Numbers for people who look after the process.
  public struct Counts: Sendable, Hashable {
    public var reconciles = 0
    public var conflicts = 0
    public var failures = 0
    /// Time spent in reconciles, all workers together.
    public var busy: Duration = .zero
  }

  public let name: String
  public let queue: WorkQueue<Key>
  private let workers: Int
  private let informers: [Informer]
  private let allKeys: (@Sendable () -> [Key])?
  private let logger: Logger
  private let reconcile: Reconcile
  private let counts = Mutex(Counts())
  /// The last error of keys that fail, so that a lasting one is logged once.
  private let lastErrors = Mutex<[Key: String]>([:])

  /// - Parameters:
  ///   - workers: reconciles at a time.
  ///   - informers: those whose first list must be there before the first reconcile; they are run by somebody else.
  ///   - allKeys: every key there is, for the case that the queue has overflowed.
  public init(
    name: String, workers: Int = 2, queue: WorkQueue<Key>, waitingFor informers: [Informer] = [],
    allKeys: (@Sendable () -> [Key])? = nil, logger: Logger, reconcile: @escaping Reconcile
  ) {
    self.name = name
    self.queue = queue
    self.workers = workers
    self.informers = informers
    self.allKeys = allKeys
    var logger = logger
    logger[metadataKey: "controller"] = "\(name)"
    self.logger = logger
    self.reconcile = reconcile
    // Keys that failed while the server was away are tried when it is back, not when their waits are over.
    informers.first?.reachability?.onReturn { [weak queue] in
      queue?.retryFailed()
      return queue != nil
    }
    MetricsRegistry.process.add(self)
  }

  public func enqueue(_ key: Key) { queue.add(key) }
  public func enqueue(_ key: Key, after delay: Duration) { queue.add(key, after: delay) }

  public var counters: Counts { counts.withLock { $0 } }

  public func run() async throws {
    await withGracefulShutdownHandler {
      do { for informer in informers { try await informer.waitUntilSynced() } } catch { return }
      await withTaskGroup(of: Void.self) { group in
        group.addTask { await self.queue.runTimer() }
        for _ in 0..<workers { group.addTask { await self.work() } }
      }
    } onGracefulShutdown: {
      self.queue.close()
    }
  }

  private func work() async {
    while let key = await queue.next() {
      await reconcileOnce(key)
      queue.done(key)
      if queue.takeOverflow(), let allKeys { for key in allKeys() { queue.add(key) } }
    }
  }

  private func reconcileOnce(_ key: Key) async {
    let began = ContinuousClock.now
    defer {
      counts.withLock {
        $0.reconciles += 1
        $0.busy += began.duration(to: .now)
      }
    }
    do {
      let result = try await reconcile(key)
      queue.forget(key)
      lastErrors.withLock { _ = $0.removeValue(forKey: key) }
      if case .requeueAfter(let delay) = result { queue.add(key, after: delay) }
    } catch let status as APIStatus where status.isConflict {
      counts.withLock { $0.conflicts += 1 }
      queue.addRateLimited(key)
    } catch let status as APIStatus where status.isNamespaceTerminating {
      // What is asked for is going away with its namespace; there is nothing to do for it, now or later.
      queue.forget(key)
    } catch {
      if Task.isCancelled { return }
      // Something was gone that the cache still shows: by the next try it does not.
      if let status = error as? APIStatus, status.isNotFound, queue.addRateLimited(key) < 4 { return }
      counts.withLock { $0.failures += 1 }
      let text = "\(error)"
      let isNew = lastErrors.withLock { $0.updateValue(text, forKey: key) != text }
      logger.log(
        level: isNew ? .warning : .debug, "reconcile failed, trying again",
        metadata: ["key": "\(key)", "error": "\(text)"])
      if (error as? APIStatus)?.isNotFound != true { queue.addRateLimited(key) }
    }
  }
}

extension Controller where Key == ObjectKey {
  /// A controller of the objects of one informer: every change of an object leads to a reconcile of its key.
  public convenience init(
    name: String, workers: Int = 2, of informer: Informer, waitingFor others: [Informer] = [], logger: Logger,
    reconcile: @escaping Reconcile
  ) {
    let queue = WorkQueue<ObjectKey>()
    self.init(
      name: name, workers: workers, queue: queue, waitingFor: [informer] + others,
      allKeys: { informer.cache.keys }, logger: logger, reconcile: reconcile)
    informer.onEvent { queue.add($0.object.key) }
  }

  /// Every change of an object of `informer` leads to reconciles of the keys that `keys` names:
  /// for an update those of the old and of the new object.
  public func watch(_ informer: Informer, keys: @escaping @Sendable (KubernetesObject) -> [ObjectKey]) {
    let queue = queue
    informer.onEvent { event in
      if case .updated(let old, _) = event { for key in keys(old) { queue.add(key) } }
      for key in keys(event.object) { queue.add(key) }
    }
  }

  /// Every change of an object leads to a reconcile of its controller (`metadata.ownerReferences`) of the given kind.
  public func watchOwned(_ informer: Informer, by owner: Resource) {
    watch(informer) { object in
      guard let controller = object.controller, controller.kind == owner.kind,
        controller.apiVersion == owner.apiVersion
      else { return [] }
      return [ObjectKey(namespace: owner.isNamespaced ? object.namespace : "", name: controller.name)]
    }
  }
}

extension Controller: MetricsSource {
  /// The queue's under the names that client-go gives them.
  public var metrics: MetricsText {
    let (counts, queue) = (counters, queue.counters)
    var text = MetricsText()
    text.gauge("workqueue_depth", "Keys that wait.", queue.depth, ["name": name])
    text.gauge("nagaya_workqueue_delayed", "Keys that wait for their time.", queue.delayed, ["name": name])
    text.gauge("nagaya_workqueue_in_work", "Keys that are worked on.", queue.inWork, ["name": name])
    text.counter("workqueue_adds_total", "Keys that were added.", queue.added, ["name": name])
    text.counter(
      "workqueue_retries_total", "Keys that were added again after a failure.", queue.retried, ["name": name])
    text.counter(
      "nagaya_workqueue_dropped_total", "Keys turned away as the queue was full.", queue.dropped, ["name": name])
    text.counter("nagaya_reconciles_total", "Reconciles.", counts.reconciles, ["controller": name])
    text.counter("nagaya_reconcile_failures_total", "Reconciles that failed.", counts.failures, ["controller": name])
    text.counter(
      "nagaya_reconcile_conflicts_total", "Reconciles that somebody else's write made void.", counts.conflicts,
      ["controller": name])
    text.counter(
      "nagaya_reconcile_seconds_total", "Time spent in reconciles, of all workers together.",
      counts.busy / .seconds(1), ["controller": name])
    return text
  }
}
