import CRI
import GRPCCore
import JSONDocument
import KubernetesAPI
public import KubernetesClient
import LinuxSystem
public import Logging
public import ProcessMetrics
public import ServiceLifecycle

/// Runs the pods that are bound to one node.
///
/// Ending `run()` leaves all pods running; the next agent adopts them. `drainForShutdown()` takes them down.
public actor NodeAgent: Service {
  private let configuration: NodeConfiguration
  private let client: KubernetesClient
  private let logger: Logger
  private let events: EventRecorder
  private let runtime: RuntimeClient
  private let volumes: VolumeMounts
  private let pods: Informer
  private let namespaces: Informer
  private let firewall: PodFirewall
  private let namespacesChanged = WakeSignal()
  private var workers: [String: (worker: PodWorker, task: Task<Void, Never>)] = [:]
  private var context: PodContext?
  private var isDraining = false
  private let entrance: APIEntrance?
  /// `nil` where nothing of volumes says where they lie.
  private let growth: VolumeGrowth?
  /// What time it is for tokens; tests let it go faster.
  private let clock: @Sendable () -> Timestamp

  /// Logs of this node's containers, for the API server.
  public nonisolated let logs: NodeLogs

  public init(_ configuration: NodeConfiguration, client: KubernetesClient, logger: Logger) throws {
    try self.init(configuration, client: client, clock: { .now }, logger: logger)
  }

  init(
    _ configuration: NodeConfiguration, client: KubernetesClient, clock: @escaping @Sendable () -> Timestamp,
    logger: Logger
  ) throws {
    self.clock = clock
    entrance = APIEntrance(configuration.network, server: configuration.apiServer, logger: logger)
    self.configuration = configuration
    self.client = client
    self.logger = logger
    events = EventRecorder(client, component: "kubelet", host: configuration.name, logger: logger)
    runtime = try RuntimeClient(socket: configuration.runtimeSocket, imageSocket: configuration.imageSocket)
    volumes = VolumeMounts(
      directory: configuration.directory, client: client, drivers: configuration.csiSockets,
      images: ImageVolumes(runtime: runtime, snapshotter: configuration.snapshotter), logger: logger)
    growth = configuration.volumeLabel.map { [volumes, events] in
      VolumeGrowth(
        client, node: configuration.name, label: $0, volumes: volumes, events: events, logger: logger)
    }
    pods = Informer(client, .pods, fields: "spec.nodeName=\(configuration.name)", logger: logger)
    namespaces = Informer(client, .namespaces, logger: logger)
    firewall = PodFirewall(network: configuration.network)
    logs = NodeLogs(directory: configuration.directory)
  }

  /// What answers the API server's requests to this node.
  public nonisolated var requests: NodeRequests {
    let cache = pods.cache
    return NodeRequests(logs: logs) { cache.get(namespace: $0, name: $1) }
  }

  /// A change that concerns one worker.
  private enum Change: Sendable {
    case pod(KubernetesObject)
    case removed(KubernetesObject)
  }

  public func run() async throws {
    try Directory.make(configuration.directory, permissions: 0o755)
    let facts = MachineFacts.read(directory: configuration.directory)
    let node = NodeFacts(
      name: configuration.name, address: configuration.address, memoryBytes: facts.memoryBytes,
      cpuMilli: Int64(facts.cores) * 1000, directory: configuration.directory, limits: configuration.limits,
      podsAPI: entrance?.addresses)
    do throws(SystemError) {
      try PodControlGroup.prepareNode(configuration.limits, memoryBytes: facts.memoryBytes)
    } catch {
      logger.warning("pods can't be bounded: control groups can't be made", metadata: ["error": "\(error)"])
    }
    let logWatch = LogWatch(logger: logger)
    let diskWatch = DiskWatch(configuration: configuration, logger: logger) { [weak self] in
      await self?.allWorkers ?? []
    }
    context = PodContext(
      node: node, client: client, events: events, runtime: runtime, prober: Prober(runtime: runtime), volumes: volumes,
      puller: ImagePuller(runtime: runtime, access: ImageAccess(directory: "\(configuration.directory)/image-access")),
      imageGate: configuration.imageGate, hooks: configuration.hooks, logs: logWatch, firewall: firewall,
      zone: zone,
      crashBackOff: configuration.crashBackOff, resync: configuration.resync,
      volumeRefresh: configuration.volumeRefresh, clock: clock, logger: logger)
    let registration = NodeRegistration(
      configuration: configuration, facts: facts, client: client, runtime: runtime, logger: logger)
    let (changes, continuation) = AsyncStream.makeStream(of: Change.self)
    pods.onEvent { event in
      switch event {
      case .added(let pod), .updated(_, let pod): continuation.yield(.pod(pod))
      case .deleted(let pod): continuation.yield(.removed(pod))
      }
    }
    namespaces.onEvent { [namespacesChanged] _ in namespacesChanged.raise() }
    // Pods that wait because the API was away go on when it is back.
    let (returns, returned) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    client.transport.reachability?.onReturn {
      if case .terminated = returned.yield() { return false }
      return true
    }
    do {
      try await cancelWhenGracefulShutdown {
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addLoop("the runtime's client") { try await self.runtime.run() }
          group.addLoop("the events' recorder") { try await self.events.run() }
          group.addLoop("the namespaces' informer") { try await self.namespaces.run() }
          group.addLoop("the node's registration") { await registration.run() }
          group.addLoop("the pods' loops") {
            // No pod before its walls: what runs keeps those that the kernel has.
            await self.establishNetwork()
            try await self.runPods(changes, returns, logWatch, diskWatch)
          }
          try await group.endWithFirst()
        }
      }
    } catch {
      await leavePods()
      throw error
    }
    await leavePods()
  }

  /// Ends the workers; their pods go on.
  private func leavePods() async {
    for (_, task) in workers.values { task.cancel() }
    for (_, task) in workers.values { await task.value }
    workers = [:]
  }

  /// Runs what makes pods and what looks after them, until it is cancelled or one of it fails.
  private func runPods(
    _ changes: AsyncStream<Change>, _ returns: AsyncStream<Void>, _ logWatch: LogWatch, _ diskWatch: DiskWatch
  ) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addLoop("the pods' informer") { try await self.pods.run() }
      group.addLoop("the pods' changes") { for await change in changes { await self.apply(change) } }
      group.addLoop("the API's returns") { for await _ in returns { await self.wake(nil) } }
      group.addLoop("the pods' network") { await self.keepNetwork() }
      group.addLoop("the runtime's events") { await self.followRuntime() }
      group.addLoop("the logs' watch") { await logWatch.run(self.runtime) }
      group.addLoop("the disk's watch") { await diskWatch.run() }
      if let socket = configuration.hooks?.statusSocket {
        let watch = HookLimitsWatch(socket: socket, logger: logger) { await self.tell($0) }
        group.addLoop("the hooks' watch") { await watch.run() }
      }
      if let growth { group.addLoop("the volumes' growth") { try await growth.run() } }
      if let entrance { group.addLoop("the API's entrance") { await entrance.run() } }
      // Once.
      group.addTask { await self.recover() }
      try await group.endWithFirst()
    }
  }

  // MARK: Pods

  private func apply(_ change: Change) async {
    switch change {
    case .pod(let pod):
      if let known = workers[pod.uid] { await known.worker.update(pod) } else { begin(pod) }
    case .removed(let pod): await workers[pod.uid]?.worker.objectRemoved()
    }
  }

  private func tell(_ limits: HookLimitsWatch.Limits) async {
    await workers[limits.podUID]?.worker.limitsChanged(limits.lines, of: limits.containerID)
  }

  @discardableResult
  private func begin(_ pod: KubernetesObject) -> PodWorker? {
    guard !isDraining, let context, workers[pod.uid] == nil else { return nil }
    let worker = PodWorker(pod, context: context)
    let uid = pod.uid
    // One task a pod, ended with `run()`; the table is what makes them children.
    let task = Task {
      await worker.run()
      self.ended(uid)
    }
    workers[uid] = (worker, task)
    return worker
  }

  private func ended(_ uid: String) { workers[uid] = nil }

  /// Takes down what belongs to pods whose objects went away while no agent ran.
  private func recover() async {
    do { try await pods.waitUntilSynced() } catch { return }
    var backOff = BackOff(initial: .milliseconds(200), maximum: .seconds(10))
    while !Task.isCancelled {
      do {
        let sandboxes = try await runtime.runtime.listPodSandbox(
          Runtime_V1_ListPodSandboxRequest(), options: RuntimeClient.within(.seconds(60))
        ).items
        var orphans: [String: KubernetesObject] = [:]
        for uid in volumes.knownPods { orphans[uid] = Self.remainder(uid: uid, name: "", namespace: "") }
        for sandbox in sandboxes {
          let uid = sandbox.metadata.uid
          orphans[uid] = Self.remainder(uid: uid, name: sandbox.metadata.name, namespace: sandbox.metadata.namespace)
        }
        let wanted = Set(pods.cache.list().map(\.uid))
        for (uid, remainder) in orphans where !wanted.contains(uid) && workers[uid] == nil {
          logger.info(
            "taking down a pod whose object is gone", metadata: ["pod": "\(remainder.key)", "uid": .string(uid)])
          await begin(remainder)?.objectRemoved()
        }
        await volumes.removeOrphans()
        try await context?.puller.forgetMissing()
        return
      } catch {
        do { try await Task.sleep(for: backOff.next()) } catch { return }
      }
    }
  }

  private static func remainder(uid: String, name: String, namespace: String) -> KubernetesObject {
    var pod = KubernetesObject(.pods, namespace: namespace, name: name)
    pod.metadata["uid"] = .string(uid)
    pod.spec["terminationGracePeriodSeconds"] = 2
    return pod
  }

  // MARK: Network

  private nonisolated var zone: @Sendable (String) -> NetworkZone? {
    { [cache = namespaces.cache] in NetworkZone(namespace: $0, labels: cache.get(name: $0)?.labels ?? [:]) }
  }

  /// Makes the network's rules what the sandboxes that there are need, whatever an agent before this one left.
  private func establishNetwork() async {
    var backOff = BackOff(initial: .milliseconds(100), maximum: .seconds(5))
    while !Task.isCancelled {
      do {
        try await namespaces.waitUntilSynced()
        var members: [String: FirewallRules.Member] = [:]
        let sandboxes = try await runtime.runtime.listPodSandbox(
          Runtime_V1_ListPodSandboxRequest(), options: RuntimeClient.within(.seconds(60))
        ).items
        for sandbox in sandboxes {
          guard let endpoint = try await SandboxNetwork.endpoint(of: sandbox.id, runtime: runtime),
            FileStatus.exists("/sys/class/net/\(endpoint.link)"), let zone = zone(sandbox.metadata.namespace)
          else { continue }
          // Whether it may call the API its object says, which its worker reads.
          members[sandbox.id] = .init(endpoint: endpoint, namespace: sandbox.metadata.namespace, zone: zone)
        }
        try await firewall.replace(members)
        return
      } catch {
        if Task.isCancelled { return }
        logger.error(
          "the pods' network can't be set up; no pod starts before", metadata: ["error": "\(error)"])
        do { try await Task.sleep(for: backOff.next()) } catch { return }
      }
    }
  }

  /// Follows what tenants connect, and looks whether the rules are still there.
  private func keepNetwork() async {
    while !Task.isCancelled {
      await namespacesChanged.wait(atMost: configuration.resync)
      if Task.isCancelled { return }
      do {
        try await firewall.rezone(zone)
        if try await !firewall.restoreIfMissing() {
          logger.warning(
            "somebody removed the pods' firewall; it is back", metadata: ["table": .string(firewall.network.table)])
        }
      } catch {
        if Task.isCancelled { return }
        logger.error("the pods' firewall can't be kept up", metadata: ["error": "\(error)"])
      }
      await EarlierBridge.removeIfUnused(configuration.network)
    }
  }

  /// Wakes workers as soon as the runtime tells of a change in their containers.
  private func followRuntime() async {
    while !Task.isCancelled {
      try? await runtime.runtime.getContainerEvents(Runtime_V1_GetEventsRequest()) { response in
        for try await event in response.messages {
          let uid = event.podSandboxStatus.metadata.uid
          await self.wake(uid.isEmpty ? nil : uid)
        }
      }
      // The stream broke: what happened meanwhile was not told.
      wake(nil)
      do { try await Task.sleep(for: .milliseconds(200)) } catch { return }
    }
  }

  private func wake(_ uid: String?) {
    if let uid { workers[uid]?.worker.wake.raise() } else { for (worker, _) in workers.values { worker.wake.raise() } }
  }

  fileprivate var allWorkers: [PodWorker] { workers.values.map(\.worker) }

  /// Takes down all pods of this node: containers, sandboxes, mounts. Their objects stay as they are, so the next
  /// start runs them again. Needs the runtime and the CSI drivers to run.
  public func drainForShutdown() async {
    isDraining = true
    logger.info("taking down all pods of this node", metadata: ["pods": "\(workers.count)"])
    let ending = Array(workers.values)
    for (worker, _) in ending { await worker.drain() }
    for (_, task) in ending { await task.value }
    await removeAllSandboxes()
    await volumes.removeOrphans()
  }

  /// What the runtime finished after its pod's worker had ended.
  private func removeAllSandboxes() async {
    let options = RuntimeClient.within(.seconds(60))
    do {
      let left = try await runtime.runtime.listPodSandbox(Runtime_V1_ListPodSandboxRequest(), options: options).items
      for sandbox in left {
        let id = sandbox.id
        _ = try await runtime.runtime.stopPodSandbox(.with { $0.podSandboxID = id }, options: options)
        _ = try await runtime.runtime.removePodSandbox(.with { $0.podSandboxID = id }, options: options)
        try? await firewall.withdraw(id)
      }
    } catch {
      logger.warning(
        "a sandbox can't be removed", metadata: ["error": "\((error as? RPCError)?.message ?? "\(error)")"])
    }
  }
}

extension NodeAgent: MetricsSource {
  public var metrics: MetricsText {
    get async {
      var text = MetricsText()
      text.gauge("nagaya_node_pods", "Pods of this node that are looked after.", allWorkers.count)
      return text
    }
  }
}
