import CRI
import Foundation
import GRPCCore
import JSONDocument
import KubernetesAPI
import KubernetesClient
import LinuxSystem
import Logging

/// Makes one pod be what its object says, and its object say what it is.
///
/// One loop looks at the runtime, takes the next steps and waits for an event, a time or the resync. Nothing that
/// matters is kept only here: after a restart a new worker finds sandbox and containers by their labels, and volumes by
/// their records on disk.
actor PodWorker {
  /// Where the pod is on its way.
  enum Stage: Hashable {
    /// Volumes, sandbox and containers are being made or run.
    case active
    /// All containers ended for good; the object remains.
    case finished
    /// Being taken down, until `until`.
    case ending(until: ContinuousClock.Instant)
    /// Nothing is left of it on this node.
    case gone
  }

  /// A sandbox that is ready.
  struct Sandbox: Hashable {
    let id: String
    let attempt: Int
    let address: String
  }

  let context: PodContext
  var logger: Logger
  let wake = WakeSignal()
  private let statusChanged = WakeSignal()
  private var current: Task<Duration?, Never>?

  var pod: KubernetesObject
  var stage = Stage.active
  /// The object is gone or the node shuts down: nothing is written to the API.
  var isObjectGone = false
  /// The node shuts down: take the pod down, keep the object.
  var isDraining = false
  var sandbox: Sandbox?
  var records: [ContainerRecord] = []
  var waiting: [String: PodProblem] = [:]
  var ready: Set<String> = []
  var started: Set<String> = []
  var probes: [String: [Task<Void, Never>]] = [:]
  var hostPaths: [String: String]?
  /// Failed runs in a row of each container, and until when its next run waits.
  var crashes: [String: CrashCount] = [:]
  /// Containers whose last start failed, and until when the next one waits.
  var failedStarts: [String: FailedStart] = [:]
  var pulls: [String: (backOff: BackOff, until: ContinuousClock.Instant, message: String)] = [:]
  /// Containers that a liveness or startup probe condemned: id and reason.
  var condemned: [String: String] = [:]
  var failures = BackOff(initial: .milliseconds(250), maximum: .seconds(30))
  /// Why this node ended the pod for good; it never runs again.
  var eviction: String?
  private var publishedStatus: JSONValue?
  private var volumesCheckedAt = ContinuousClock.now
  /// Where containers write what they change of their root file systems, by container id.
  var layers: [String: String] = [:]
  /// Limits that the runtime's hooks gave containers, by container id, as far as that is known.
  var hookLimits: [String: [String]] = [:]
  /// Ended containers whose end has been told as an event.
  var toldExits: Set<String> = []

  init(_ pod: KubernetesObject, context: PodContext) {
    self.pod = pod
    self.context = context
    logger = context.logger
    logger[metadataKey: "pod"] = "\(pod.key)"
    logger[metadataKey: "uid"] = "\(pod.uid)"
  }

  // MARK: Told from outside

  /// The object changed.
  func update(_ newer: KubernetesObject) {
    let wasDeleted = pod.isBeingDeleted
    pod = newer
    if newer.isBeingDeleted, !wasDeleted { current?.cancel() }
    wake.raise()
  }

  /// The object is gone without waiting for this node (a forced deletion).
  func objectRemoved() {
    isObjectGone = true
    current?.cancel()
    wake.raise()
  }

  /// The node shuts down.
  func drain() {
    isDraining = true
    current?.cancel()
    wake.raise()
  }

  /// Whether the worker should take the pod down.
  var shouldEnd: Bool { pod.isBeingDeleted || isObjectGone || isDraining }

  // MARK: The loop

  /// Returns when nothing of the pod is left on this node, or when cancelled (the pod goes on then).
  func run() async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.publishLoop() }
      await follow()
      group.cancelAll()
    }
    for task in probes.values.flatMap(\.self) { task.cancel() }
    probes = [:]
    for record in records { context.logs.remove(record.id) }
  }

  private func follow() async {
    while !Task.isCancelled, stage != .gone {
      let step = Task { await self.step() }
      current = step
      let delay = await withTaskCancellationHandler {
        await step.value
      } onCancel: {
        step.cancel()
      }
      current = nil
      statusChanged.raise()
      if stage == .gone || Task.isCancelled { break }
      await wake.wait(atMost: delay ?? context.resync)
    }
  }

  /// One look and the steps that follow from it.
  /// - Returns: when to look again at the latest; `nil`: at the resync.
  private func step() async -> Duration? {
    do {
      try await observe()
      let delay = shouldEnd ? try await end() : try await advance()
      failures.reset()
      return delay
    } catch let problem as PodProblem {
      for name in names where !hasRun(name) { waiting[name] = problem }
      context.events.record(.warning, about: pod, reason: problem.event, message: problem.message)
      return failures.next()
    } catch {
      if Task.isCancelled { return .zero }
      let message = (error as? RPCError)?.message ?? "\(error)"
      logger.warning("a step of a pod failed", metadata: ["error": .string(message)])
      if !shouldEnd, sandbox == nil {
        context.events.record(.warning, about: pod, reason: "FailedCreatePodSandBox", message: message)
      } else if shouldEnd {
        context.events.record(.warning, about: pod, reason: "FailedKillPod", message: message)
      }
      return failures.next()
    }
  }

  var names: [String] { (pod.initContainers + pod.containers).compactMap { $0["name"].string } }
  private func hasRun(_ name: String) -> Bool { records.contains { $0.name == name } }

  /// Reads what the runtime has of this pod.
  func observe() async throws {
    let options = RuntimeClient.within(.seconds(60))
    let selector = [PodLabels.uid: pod.uid]
    let sandboxes = try await context.runtime.runtime.listPodSandbox(
      .with { $0.filter.labelSelector = selector }, options: options
    ).items
    if let newest = sandboxes.filter({ $0.state == .sandboxReady }).max(by: {
      $0.metadata.attempt < $1.metadata.attempt
    }) {
      if sandbox?.id != newest.id {
        // What is on its way down needs no place in the network any more, and must not wait for one.
        let address = shouldEnd ? pod.status["podIP"].string ?? "" : try await connect(newest.id)
        sandbox = address.map { Sandbox(id: newest.id, attempt: Int(newest.metadata.attempt), address: $0) }
      }
    } else {
      sandbox = nil
    }
    try await observeContainers()
  }

  func observeContainers() async throws {
    let options = RuntimeClient.within(.seconds(60))
    let selector = [PodLabels.uid: pod.uid]
    let containers = try await context.runtime.runtime.listContainers(
      .with { $0.filter.labelSelector = selector }, options: options
    ).containers
    let known = Dictionary(records.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    var found: [ContainerRecord] = []
    for container in containers {
      // What has ended does not change any more; what runs is asked again only if the list says otherwise.
      if let record = known[container.id],
        record.exit != nil || (record.isRunning && container.state == .containerRunning)
      {
        found.append(record)
        continue
      }
      let status = try await context.runtime.runtime.containerStatus(
        .with { $0.containerID = container.id }, options: options
      ).status
      found.append(completed(ContainerRecord(status, sandboxID: container.podSandboxID)))
    }
    records = found
    forgetLimits()
    for record in found where record.exit != nil {
      stopProbes(record.id)
      await context.logs.ended(record.id)
    }
    for record in found where record.isRunning {
      startProbes(record)
      watchLog(record)
    }
  }

  /// Adds the message that an ended container left.
  private func completed(_ record: ContainerRecord) -> ContainerRecord {
    guard case .exited(var exit) = record.state, exit.message.isEmpty else { return record }
    let configurations = PodConfigurations(pod: pod, node: context.node)
    let path = configurations.terminationLog(record.name, attempt: record.attempt)
    // Tells those who follow the log that nothing more comes.
    try? SmallFile.write([], to: "\(configurations.logDirectory)/\(record.name)/\(record.attempt).ended")
    if let bytes = try? RootedFile(path).read(first: 4096), !bytes.isEmpty {
      exit.message = String(decoding: bytes, as: UTF8.self)
    }
    if exit.message.isEmpty, exit.code != 0, fallsBackToLogs(record.name) {
      exit.message = ContainerLogFilter.lastWords(
        ofLog: "\(configurations.logDirectory)/\(record.name)/\(record.attempt).log")
    }
    if exit.message.isEmpty, let reason = condemned[record.id] ?? context.logs.verdict(record.id) {
      exit.message = reason
    }
    var record = record
    record.state = .exited(exit)
    return record
  }

  /// core/v1 `Container.terminationMessagePolicy`
  private func fallsBackToLogs(_ name: String) -> Bool {
    (pod.containers + pod.initContainers).contains {
      $0["name"].string == name && $0["terminationMessagePolicy"].string == "FallbackToLogsOnError"
    }
  }

  // MARK: Status

  var computedStatus: JSONValue {
    PodStatusBuilder(
      pod: pod, hostIP: context.node.address, podIP: sandbox?.address ?? pod.status["podIP"].string ?? "",
      records: records, waiting: waiting, ready: ready, started: started, isEnding: shouldEnd || stage == .finished,
      eviction: eviction ?? earlierEviction, now: .now
    ).status
  }

  /// What an earlier agent evicted stays so.
  private var earlierEviction: String? {
    pod.status["reason"].string == "Evicted" ? pod.status["message"].string ?? "" : nil
  }

  func noteStatusChange() { statusChanged.raise() }

  /// Writes the status when it differs from the last one written: not on the way of the steps, so that an API that
  /// answers slowly does not hold up a start.
  private func publishLoop() async {
    while !Task.isCancelled {
      await statusChanged.wait(atMost: nil)
      if Task.isCancelled { return }
      await publish()
    }
  }

  func publish() async {
    guard !isObjectGone, !isDraining else { return }
    let status = computedStatus
    let limits = limitsToWrite
    guard limits != nil || status != publishedStatus && !Self.isContained(status, in: pod.status) else { return }
    let version = pod.resourceVersion
    do {
      var patch: JSONValue = ["metadata": ["uid": .string(pod.uid)], "status": status]
      // A merge keeps members that the patch does not name.
      if status["podIP"].isNull, !pod.status["podIP"].isNull { patch["status"]["podIP"] = .null }
      if let limits { patch["metadata"]["annotations"] = [HookLimits.annotation: limits] }
      let written = try await context.client.patch(
        .pods, namespace: pod.namespace, name: pod.name, subresource: "status", patch)
      publishedStatus = status
      // What came meanwhile may be newer than what was written, and would not come again.
      if written.uid == pod.uid, pod.resourceVersion == version {
        pod.status = written.status
        pod.annotations[HookLimits.annotation] = written.annotations[HookLimits.annotation]
      }
    } catch let error as APIStatus where error.isNotFound || error.isConflict {
      publishedStatus = nil
      if error.isConflict { await retryPublishing() }
    } catch {
      if Task.isCancelled { return }
      logger.warning("a pod's status can't be written", metadata: ["error": "\(error)"])
      await retryPublishing()
    }
  }

  private func retryPublishing() async {
    try? await Task.sleep(for: .milliseconds(500))
    statusChanged.raise()
  }

  private static func isContained(_ status: JSONValue, in other: JSONValue) -> Bool {
    status.members.allSatisfy { other[$0.key] == $0.value }
  }

  /// Whether files of config maps, secrets and tokens should be compared with the API again.
  func volumesAreDue() -> Bool {
    guard ContinuousClock.now - volumesCheckedAt > context.volumeRefresh else { return false }
    volumesCheckedAt = .now
    return true
  }
}

/// How often a container failed in a row.
struct CrashCount: Hashable, Sendable {
  var backOff: BackOff
  /// The next run waits until then.
  var until: ContinuousClock.Instant
  /// The run that was counted last.
  var countedID: String
}

/// A start that failed: what raises `wake` meanwhile must not bring the next one forward.
struct FailedStart: Hashable, Sendable {
  var backOff: BackOff
  /// The next start waits until then.
  var until: ContinuousClock.Instant
  /// The specification that was tried; another one is tried at once.
  var container: JSONValue
}

extension PodWorker {
  /// Ends a container that logs without end; it is started again with the delays of a crash.
  func stopFlood(_ record: ContainerRecord) async {
    guard records.contains(where: { $0.id == record.id }) else { return }
    let reason = LogWatch.reason
    logger.info("ending a container", metadata: ["container": .string(record.name), "reason": .string(reason)])
    context.events.record(
      .warning, about: pod, reason: "LogFlood", message: "Container \(record.name) \(reason), will be restarted")
    condemned[record.id] = reason
    await stop(record, .null, graceSeconds: 0)
    wake.raise()
  }

  func watchLog(_ record: ContainerRecord) {
    let place = "\(PodConfigurations(pod: pod, node: context.node).logDirectory)/\(record.name)"
    let group = PodControlGroup(pod: pod, node: context.node).container(record.id)
    context.logs.add(
      LogWatch.Log(
        containerID: record.id, place: place, attempt: record.attempt,
        // At once, whether the runtime answers or not; it tells of the end when it does.
        kill: { group.kill() }, stop: { [weak self] in await self?.stopFlood(record) }))
  }
}
