import CRI
import GRPCCore
import JSONDocument
import KubernetesAPI
import KubernetesClient
import LinuxSystem
import Logging

/// The way down: hooks and signals, sandbox, volumes, directories, and the object last.
extension PodWorker {
  /// Takes the pod down; every step may be repeated.
  func end() async throws -> Duration? {
    let configurations = PodConfigurations(pod: pod, node: context.node)
    if case .ending = stage {
    } else {
      // number: graceSeconds is bounded (`PodSpec`)
      stage = .ending(until: .now + .seconds(pod.graceSeconds))
      if records.contains(where: \.isRunning) {
        for name in Set(records.filter(\.isRunning).map(\.name)).sorted() {
          context.events.record(.normal, about: pod, reason: "Killing", message: "Stopping container \(name)")
        }
      }
      noteStatusChange()
    }
    var left = 0
    // number: no longer than graceSeconds
    if case .ending(let until) = stage { left = Int(max(.zero, until - .now).components.seconds) }
    let grace = min(pod.graceSeconds, left + 1)
    for task in probes.values.flatMap(\.self) { task.cancel() }
    let sidecars = Set(
      pod.initContainers.filter { $0["restartPolicy"].string == "Always" }.compactMap { $0["name"].string })
    try await stopAll(records.filter { $0.isRunning && !sidecars.contains($0.name) }, graceSeconds: grace)
    try await stopAll(records.filter { $0.isRunning && sidecars.contains($0.name) }, graceSeconds: min(grace, 2))
    try await observeContainers()
    // The last words of the containers, while they can still be read.
    if !isObjectGone, !isDraining { await publish() }
    try await removeSandboxes()
    try await context.volumes.unmount(podUID: pod.uid)
    try configurations.smallFiles.remove()
    try await removeControlGroup()
    try await context.volumes.removeDirectory(podUID: pod.uid)
    if !isDraining { try Directory.removeTree(configurations.logDirectory) }
    if pod.isBeingDeleted, !isObjectGone, !isDraining {
      do {
        try await context.client.delete(
          .pods, namespace: pod.namespace, name: pod.name, uid: pod.uid, gracePeriodSeconds: 0)
      } catch let status as APIStatus where status.isNotFound || status.isConflict {}
    }
    logger.info("pod is gone from this node")
    stage = .gone
    return nil
  }

  /// All containers ended for good: network and volumes are given back, containers stay for their logs.
  func finish() async throws {
    guard stage != .finished else { return }
    for sandbox in try await sandboxes() where sandbox.state == .sandboxReady {
      try await disconnect(sandbox.id, within: .seconds(120))
    }
    try await context.volumes.unmount(podUID: pod.uid)
    // What was evicted for its scratch space must not go on taking it.
    if eviction != nil {
      removeWrittenLayers()
      try await context.volumes.removeScratch(podUID: pod.uid)
    }
    stage = .finished
    hostPaths = nil
    noteStatusChange()
  }

  /// Processes that were killed a moment ago may still be on their way out of the group.
  private func removeControlGroup() async throws {
    let group = PodControlGroup(pod: pod, node: context.node).group
    let deadline = ContinuousClock.now + .seconds(5)
    while true {
      do { return try group.remove() } catch {
        guard ContinuousClock.now < deadline else { throw error }
        try await Task.sleep(for: .milliseconds(10))
      }
    }
  }

  private func sandboxes() async throws -> [Runtime_V1_PodSandbox] {
    let selector = [PodLabels.uid: pod.uid]
    return try await context.runtime.runtime.listPodSandbox(
      .with { $0.filter.labelSelector = selector }, options: RuntimeClient.within(.seconds(60))
    ).items
  }

  private func removeSandboxes() async throws {
    let options = RuntimeClient.within(.seconds(120))
    for sandbox in try await sandboxes() {
      try await disconnect(sandbox.id, within: .seconds(120))
      _ = try await context.runtime.runtime.removePodSandbox(.with { $0.podSandboxID = sandbox.id }, options: options)
    }
    sandbox = nil
    records = records.filter { !$0.isRunning }
  }

  private func stopAll(_ running: [ContainerRecord], graceSeconds: Int) async throws {
    let specifications = Dictionary(
      (pod.initContainers + pod.containers).compactMap { item in item["name"].string.map { ($0, item) } },
      uniquingKeysWith: { first, _ in first })
    await withTaskGroup(of: Void.self) { group in
      for record in running {
        let specification = specifications[record.name] ?? .null
        group.addTask { await self.stop(record, specification, graceSeconds: graceSeconds) }
      }
    }
  }

  /// Runs the hook before the stop, then SIGTERM and, when the time is over, SIGKILL. The hook's time is the pod's.
  func stop(_ record: ContainerRecord, _ container: JSONValue, graceSeconds: Int) async {
    let began = ContinuousClock.now
    let hook = container["lifecycle"]["preStop"]
    if !hook.isNull, graceSeconds > 0 {
      let answer = await context.prober.ask(
        hook, container: container, containerID: record.id, address: sandbox?.address ?? "",
        // number: graceSeconds is bounded (`PodSpec`)
        timeout: .seconds(graceSeconds))
      if case .failure(let message) = answer {
        context.events.record(.warning, about: pod, reason: "FailedPreStopHook", message: message)
      }
    }
    let left = max(hook.isNull ? 0 : 2, graceSeconds - Int((ContinuousClock.now - began).components.seconds))
    do {
      _ = try await context.runtime.runtime.stopContainer(
        .with {
          $0.containerID = record.id
          $0.timeout = Int64(left)
        }, options: RuntimeClient.within(.seconds(left + 30)))
    } catch {
      logger.warning(
        "a container can't be stopped",
        metadata: ["container": .string(record.name), "error": "\((error as? RPCError)?.message ?? "\(error)")"])
    }
  }
}
