import BoundedNumbers
import CRI
import GRPCCore
import JSONDocument
import KubernetesAPI
import KubernetesClient
import LinuxSystem
import Logging

#if canImport(Glibc)
  import Glibc
#endif

/// The way up: volumes, sandbox, init containers, containers.
extension PodWorker {
  private var configurations: PodConfigurations { PodConfigurations(pod: pod, node: context.node) }

  private func fields(_ address: String) -> FieldReference {
    FieldReference(
      pod: pod, podIP: address, hostIP: context.node.address,
      allocatable: (cpuMilli: context.node.cpuMilli, memoryBytes: context.node.memoryBytes))
  }

  var lookup: ContainerEnvironment.Lookup {
    let (client, namespace) = (context.client, pod.namespace)
    return { resource, name in
      guard var object = try await client.getIfPresent(resource, namespace: namespace, name: name) else { return nil }
      object["kind"] = .string(resource.kind)
      return object
    }
  }

  func advance() async throws -> Duration? {
    let phase = computedStatus["phase"].string
    if phase == "Succeeded" || phase == "Failed" || isFinishedInAPI {
      try await finish()
      return nil
    }
    stage = .active
    if hostPaths == nil || volumesAreDue() {
      let contents = FileVolumeContents(
        fields: fields(sandbox?.address ?? ""), lookup: lookup,
        tokens: PodTokens(pod: pod, client: context.client, now: context.clock))
      if hostPaths == nil, sandbox == nil { noteStatusChange() }
      hostPaths = try await context.volumes.prepare(pod, contents: contents) { reference, policy in
        try await self.image(ofVolume: reference, policy: policy)
      }
    }
    let sandbox = try await ensureSandbox()
    waiting = waiting.filter { entry in entry.value.reason != "ContainerCreating" }
    if let delay = try await advanceInitContainers(sandbox) { return delay.isFinite }
    return await advanceContainers(sandbox)
  }

  /// The object says that the pod ended for good; it is never started again.
  private var isFinishedInAPI: Bool {
    let phase = pod.status["phase"].string
    return phase == "Succeeded" || phase == "Failed"
  }

  private func ensureSandbox() async throws -> Sandbox {
    if let sandbox { return sandbox }
    let options = RuntimeClient.within(.seconds(240))
    let runtime = context.runtime.runtime
    let selector = [PodLabels.uid: pod.uid]
    let old = try await runtime.listPodSandbox(
      .with { $0.filter.labelSelector = selector }, options: options
    ).items
    for sandbox in old {
      try await disconnect(sandbox.id, within: .seconds(240))
      _ = try await runtime.removePodSandbox(.with { $0.podSandboxID = sandbox.id }, options: options)
    }
    if !old.isEmpty {
      context.events.record(
        .normal, about: pod, reason: "SandboxChanged", message: "Pod sandbox changed, it will be killed and re-created."
      )
      records = []
    }
    let attempt = (old.map { Int($0.metadata.attempt) }.max() ?? -1) + 1
    let configuration = configurations.sandbox(attempt: attempt)
    try Directory.make(configurations.logDirectory)
    try Directory.make(configurations.podDirectory, permissions: 0o750)
    try PodControlGroup(pod: pod, node: context.node).make()
    let id = try await toTheEnd {
      try await runtime.runPodSandbox(.with { $0.config = configuration }, options: options).podSandboxID
    }
    guard let address = try await connect(id) else {
      throw PodProblem("NetworkNotReady", "the runtime gave the pod no link to the node")
    }
    try configurations.smallFiles.make(configurations.systemFiles(podIP: address), containers: names.count)
    let made = Sandbox(id: id, attempt: attempt, address: address)
    sandbox = made
    noteStatusChange()
    return made
  }

  /// Runs a call that makes something in the runtime. A deletion cancels the step, but not the call: what is cut off
  /// half-way may still come to be when nobody waits for it, after the way down has looked for it.
  func toTheEnd<Answer: Sendable>(_ call: @escaping @Sendable () async throws -> Answer) async throws -> Answer {
    try await Task { try await call() }.value
  }

  /// What the init containers say: `nil` when all are done.
  private enum InitWait {
    case event
    case time(Duration)

    var isFinite: Duration? {
      if case .time(let duration) = self { return duration }
      return nil
    }
  }

  private func advanceInitContainers(_ sandbox: Sandbox) async throws -> InitWait? {
    for container in pod.initContainers {
      guard let name = container["name"].string else { continue }
      let isSidecar = container["restartPolicy"].string == "Always"
      let latest = PodStatusBuilder.runs(of: name, in: records).first
      if !isSidecar, let exit = latest?.exit {
        if exit.code == 0 { continue }
        if pod.restartPolicy == .never { return .event }
      }
      if isSidecar, let latest, latest.isRunning {
        await killIfCondemned(latest, container)
        if started.contains(latest.id) { continue }
        return .event
      }
      if latest?.isRunning == true { return .event }
      // Containers that have started already need no init container again.
      if latest == nil, pod.containers.contains(where: { main in records.contains { $0.name == main["name"].string } })
      {
        continue
      }
      if let delay = await startIfDue(container, sandbox, latest) { return .time(delay) }
      if isSidecar, let run = PodStatusBuilder.runs(of: name, in: records).first, started.contains(run.id) { continue }
      return .event
    }
    return nil
  }

  private func advanceContainers(_ sandbox: Sandbox) async -> Duration? {
    await withTaskGroup(of: Duration?.self) { group in
      for container in pod.containers {
        guard let name = container["name"].string else { continue }
        let latest = PodStatusBuilder.runs(of: name, in: records).first
        if let latest, latest.isRunning {
          group.addTask {
            await self.killIfCondemned(latest, container)
            return nil
          }
          continue
        }
        if let exit = latest?.exit, !pod.restartPolicy.restarts(exitCode: exit.code) {
          waiting[name] = nil
          continue
        }
        group.addTask { await self.startIfDue(container, sandbox, latest) }
      }
      var soonest: Duration?
      for await delay in group {
        if let delay { soonest = min(soonest ?? delay, delay) }
      }
      return soonest
    }
  }

  private func killIfCondemned(_ record: ContainerRecord, _ container: JSONValue) async {
    guard let reason = condemned[record.id] else { return }
    context.events.record(
      .normal, about: pod, reason: "Killing", message: "Container \(record.name) \(reason), will be restarted")
    stopProbes(record.id)
    await stop(record, container, graceSeconds: pod.restartGraceSeconds)
    wake.raise()
  }

  /// Starts a container's next run, unless it has to wait.
  /// - Returns: how long it has to wait; `nil` if it was started.
  func startIfDue(_ container: JSONValue, _ sandbox: Sandbox, _ latest: ContainerRecord?) async -> Duration? {
    let name = container["name"].string ?? ""
    if let latest, let exit = latest.exit, let delay = crashDelay(name, latest.id, exit) {
      let text =
        "back-off \(delay.total) restarting failed container=\(name) pod=\(pod.name)_\(pod.namespace)(\(pod.uid))"
      if waiting[name]?.reason != "CrashLoopBackOff" {
        context.events.record(
          .warning, about: pod, reason: "BackOff",
          message: "Back-off restarting failed container \(name) in pod \(pod.name)")
      }
      waiting[name] = PodProblem("CrashLoopBackOff", text)
      noteStatusChange()
      return delay.left
    }
    if let failed = failedStarts[name], failed.container == container, failed.until > .now {
      return failed.until - .now
    }
    do {
      let imageID = try await image(of: container)
      try await start(
        container, sandbox, attempt: latest.map { $0.attempt + 1 } ?? firstAttempt(name), imageID: imageID)
      waiting[name] = nil
      failedStarts[name] = nil
      noteStatusChange()
      return nil
    } catch let wait as PullWait {
      waiting[name] = PodProblem("ImagePullBackOff", wait.message)
      noteStatusChange()
      return wait.left
    } catch let problem as PodProblem {
      if waiting[name] != problem {
        context.events.record(
          .warning, about: pod, reason: problem.event, message: "\(problem.reason): \(problem.message)")
      }
      waiting[name] = problem
      noteStatusChange()
      return delayStart(of: container, name, after: problem)
    } catch {
      if Task.isCancelled { return .zero }
      let message = (error as? RPCError)?.message ?? "\(error)"
      let problem = PodProblem("CreateContainerError", message)
      if waiting[name] != problem {
        context.events.record(.warning, about: pod, reason: "Failed", message: "Error: \(message)")
      }
      waiting[name] = problem
      noteStatusChange()
      return delayStart(of: container, name, after: problem)
    }
  }

  /// Remembers that a start failed.
  /// - Returns: how long the next one waits. A runtime that refuses is asked ever less often; what only waits for an
  ///   object or an image is looked at again soon.
  private func delayStart(of container: JSONValue, _ name: String, after problem: PodProblem) -> Duration {
    let delay: Duration
    var backOff = BackOff(
      initial: min(.seconds(1), context.crashBackOff.initial), maximum: context.crashBackOff.maximum)
    if ["RunContainerError", "CreateContainerError"].contains(problem.reason) {
      if let failed = failedStarts[name], failed.container == container { backOff = failed.backOff }
      delay = backOff.next()
    } else {
      delay = Self.patience(problem)
    }
    failedStarts[name] = FailedStart(backOff: backOff, until: .now + delay, container: container)
    return delay
  }

  /// The next number of a container whose runs the runtime does not know (any more).
  private func firstAttempt(_ name: String) -> Int {
    let old = (pod.status["containerStatuses"].elements + pod.status["initContainerStatuses"].elements).first {
      $0["name"].string == name
    }
    guard let old, old["containerID"].string != nil else { return 0 }
    return (old["restartCount"].int ?? 0).clampedAdding(1)
  }

  // MARK: Crashes

  /// The delay before the run after `id`; `nil` when it is over. The first failure is repeated at once.
  private func crashDelay(_ name: String, _ id: String, _ exit: ContainerRecord.Exit) -> (
    left: Duration, total: Duration
  )? {
    let now = ContinuousClock.now
    if crashes[name]?.countedID != id {
      let ran = exit.started.map { exit.finished.microseconds - $0.microseconds } ?? 0
      var count = crashes[name]
      if ran > 600_000_000 { count = nil }
      if var counted = count {
        let delay = counted.backOff.next()
        let since = Duration.microseconds(max(0, Timestamp.now.microseconds - exit.finished.microseconds))
        counted.until = now + delay - min(delay, since)
        counted.countedID = id
        crashes[name] = counted
      } else {
        crashes[name] = CrashCount(
          backOff: BackOff(initial: context.crashBackOff.initial, maximum: context.crashBackOff.maximum), until: now,
          countedID: id)
      }
    }
    guard let count = crashes[name], count.until > now else { return nil }
    // number: times of this clock, both within a back-off
    return (count.until - now, .seconds((count.until - now).components.seconds + 1))
  }

  // MARK: Starting

  private func start(_ container: JSONValue, _ sandbox: Sandbox, attempt: Int, imageID: String) async throws {
    let name = container["name"].string ?? ""
    try await checkUser(of: container, imageID: imageID)
    try await passGate(container["image"].string ?? "", imageID)
    let environment = try await ContainerEnvironment(
      container: container, fields: fields(sandbox.address), lookup: lookup,
      service: context.node.apiAddress(for: pod))
    var configuration = try configurations.container(
      container, attempt: attempt, imageID: imageID, environment: environment, hostPaths: hostPaths ?? [:])
    // A pod that an earlier version began has neither of both.
    try PodControlGroup(pod: pod, node: context.node).make()
    if !FileStatus.exists("\(configurations.smallFiles.directory)/hosts") {
      try configurations.smallFiles.make(configurations.systemFiles(podIP: sandbox.address), containers: names.count)
    }
    let terminationLog = try configurations.smallFiles.makeTerminationLog(name, attempt: attempt)
    configuration.mounts.append(
      .with {
        $0.hostPath = terminationLog
        $0.containerPath = container["terminationMessagePath"].string ?? "/dev/termination-log"
      })
    try Directory.make("\(configurations.logDirectory)/\(name)")
    let sandboxConfiguration = configurations.sandbox(attempt: sandbox.attempt)
    let options = RuntimeClient.within(.seconds(240))
    let runtime = context.runtime.runtime
    try await removeOldRuns(of: name)
    let finished = configuration
    let containerID = try await create(
      .with {
        $0.podSandboxID = sandbox.id
        $0.config = finished
        $0.sandboxConfig = sandboxConfiguration
      })
    do {
      _ = try await toTheEnd {
        try await runtime.startContainer(.with { $0.containerID = containerID }, options: options)
      }
    } catch let error as RPCError {
      _ = try? await runtime.removeContainer(.with { $0.containerID = containerID }, options: options)
      throw PodProblem("RunContainerError", StartRefusal.readable(error.message))
    }
    context.events.record(.normal, about: pod, reason: "Started", message: "Started container \(name)")
    let record = ContainerRecord(
      id: containerID, name: name, attempt: attempt, sandboxID: sandbox.id, state: .running(since: .now),
      image: container["image"].string ?? "", imageID: imageID, createdAt: Timestamp.now.microseconds * 1000)
    records.append(record)
    watchLog(record)
    // Not on the way of the start: the mount table of a full node is long.
    Task { await findLayer(of: containerID) }
    let hook = container["lifecycle"]["postStart"]
    if !hook.isNull {
      let answer = await context.prober.ask(
        hook, container: container, containerID: containerID, address: sandbox.address,
        timeout: hook["sleep"].isNull ? .seconds(60) : .longest)
      if case .failure(let message) = answer {
        context.events.record(.warning, about: pod, reason: "FailedPostStartHook", message: message)
        await stop(record, container, graceSeconds: 1)
        throw PodProblem("PostStartHookError", message)
      }
    }
    startProbes(record)
  }

  /// Refuses a container that must not run as root and would, or whose image does not say by number who it runs as.
  private func checkUser(of container: JSONValue, imageID: String) async throws {
    guard let demand = NonRootDemand(container: container, pod: pod) else { return }
    let answer = try await context.runtime.images.imageStatus(
      .with { $0.image.image = imageID }, options: RuntimeClient.within(.seconds(30)))
    try demand.check(
      imageUser: answer.image.hasUid ? answer.image.uid.value : nil, imageUserName: answer.image.username)
  }

  /// Keeps the latest run of a container for its last state and `logs --previous`, removes those before.
  private func removeOldRuns(of name: String) async throws {
    for old in PodStatusBuilder.runs(of: name, in: records).dropFirst() where !old.isRunning {
      _ = try await context.runtime.runtime.removeContainer(
        .with { $0.containerID = old.id }, options: RuntimeClient.within(.seconds(60)))
      records.removeAll { $0.id == old.id }
      let log = "\(configurations.logDirectory)/\(name)/\(old.attempt)"
      for path in LogRotation.rotatedFiles(place: "\(configurations.logDirectory)/\(name)", attempt: old.attempt)
        + ["\(log).log", "\(log).ended"]
      {
        unlink(path)
      }
      try? Directory.removeTree(configurations.terminationLog(name, attempt: old.attempt))
    }
  }
}
