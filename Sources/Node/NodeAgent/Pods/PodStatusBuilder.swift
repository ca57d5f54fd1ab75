import JSONDocument
import KubernetesAPI

/// Computes a pod's status from what runs. Pure: the same input gives the same status.
struct PodStatusBuilder {
  let pod: KubernetesObject
  let hostIP: String
  /// Empty until the sandbox has an address.
  var podIP = ""
  /// All runs of every container that are still known, in any order.
  var records: [ContainerRecord] = []
  /// Why containers that do not run wait.
  var waiting: [String: PodProblem] = [:]
  /// Ids of containers whose readiness probe succeeds, or that have none.
  var ready: Set<String> = []
  /// Ids of containers whose startup probe succeeded, or that have none.
  var started: Set<String> = []
  /// The pod will not run again (deleted while running, evicted).
  var isEnding = false
  /// Why the node ended the pod for good.
  var eviction: String?
  let now: Timestamp

  /// The runs of a container, newest first.
  static func runs(of name: String, in records: [ContainerRecord]) -> [ContainerRecord] {
    records.filter { $0.name == name }.sorted { ($0.attempt, $0.createdAt) > ($1.attempt, $1.createdAt) }
  }

  var status: JSONValue {
    let old = pod.status
    var status: JSONValue = [:]
    let initStatuses = pod.initContainers.map { containerStatus($0, old["initContainerStatuses"], isInit: true) }
    let statuses = pod.containers.map { containerStatus($0, old["containerStatuses"], isInit: false) }
    let phase = self.phase
    status["phase"] = .string(phase)
    if let eviction {
      status["reason"] = "Evicted"
      status["message"] = .string(eviction)
    }
    status["hostIP"] = .string(hostIP)
    status["hostIPs"] = [["ip": .string(hostIP)]]
    if !podIP.isEmpty {
      status["podIP"] = .string(podIP)
      status["podIPs"] = [["ip": .string(podIP)]]
    }
    status["startTime"] = old["startTime"].string.map { .string($0) } ?? .string(now.description)
    status["qosClass"] = .string(pod.qualityOfService)
    if !initStatuses.isEmpty { status["initContainerStatuses"] = .array(initStatuses) }
    status["containerStatuses"] = .array(statuses)
    status["conditions"] = .array(conditions(phase: phase, statuses: statuses))
    return status
  }

  /// `Pending`, `Running`, `Succeeded` or `Failed` ("Pod Lifecycle").
  var phase: String {
    if eviction != nil { return "Failed" }
    let policy = pod.restartPolicy
    for container in pod.initContainers where container["restartPolicy"].string != "Always" {
      guard let latest = latest(container), let exit = latest.exit else {
        return isEnding && !hasRun ? "Failed" : "Pending"
      }
      if exit.code != 0 { return policy == .never || isEnding ? "Failed" : "Pending" }
    }
    let latest = pod.containers.map { self.latest($0) }
    if latest.contains(where: { $0 == nil }) {
      if isEnding, !latest.contains(where: { $0?.isRunning == true }) { return "Failed" }
      return latest.contains { $0?.isRunning == true } ? "Running" : "Pending"
    }
    let exits = latest.compactMap { $0?.exit }
    if exits.count == latest.count {
      let failed = exits.contains { $0.code != 0 }
      if isEnding { return failed ? "Failed" : "Succeeded" }
      if exits.allSatisfy({ !policy.restarts(exitCode: $0.code) }) { return failed ? "Failed" : "Succeeded" }
    }
    if latest.allSatisfy({ $0?.state == .created }) { return "Pending" }
    return "Running"
  }

  private var hasRun: Bool { records.contains { $0.exit != nil || $0.isRunning } }

  private func latest(_ container: JSONValue) -> ContainerRecord? {
    Self.runs(of: container["name"].string ?? "", in: records).first
  }

  private func containerStatus(_ container: JSONValue, _ oldStatuses: JSONValue, isInit: Bool) -> JSONValue {
    let name = container["name"].string ?? ""
    let old = oldStatuses.elements.first { $0["name"].string == name } ?? .null
    let runs = Self.runs(of: name, in: records)
    var status: JSONValue = [
      "name": .string(name), "image": container["image"], "imageID": old["imageID"].string.map { .string($0) } ?? "",
      "ready": false, "started": false,
      "restartCount": JSONValue(max(runs.first?.attempt ?? 0, old["restartCount"].int ?? 0)),
      "lastState": [:],
    ]
    guard let latest = runs.first else {
      status["state"] = waitingState(name)
      status.set("lastState", ifPresent: old["lastState"].members.isEmpty ? nil : old["lastState"])
      return status
    }
    status["imageID"] = .string(latest.imageID)
    status["containerID"] = .string("containerd://\(latest.id)")
    if let previous = runs.dropFirst().first(where: { $0.exit != nil }) {
      status["lastState"] = terminatedState(previous)
    } else if runs.count == 1, latest.attempt > 0, !old["lastState"].members.isEmpty {
      status["lastState"] = old["lastState"]
    }
    switch latest.state {
    case .running(let since):
      status["state"] = ["running": ["startedAt": .string(since.description)]]
      status["started"] = .bool(started.contains(latest.id))
      status["ready"] = .bool(ready.contains(latest.id) && started.contains(latest.id))
    case .exited(let exit):
      if waiting[name] != nil, !isEnding {
        // It waits for its next run: what ended is the last state now.
        status["state"] = waitingState(name)
        status["lastState"] = terminatedState(latest)
      } else {
        status["state"] = terminatedState(latest)
        if isInit { status["ready"] = .bool(exit.code == 0) }
      }
    case .created, .unknown: status["state"] = waitingState(name)
    }
    return status
  }

  private func waitingState(_ name: String) -> JSONValue {
    guard let problem = waiting[name] else {
      return ["waiting": ["reason": .string(hasPendingInit(before: name) ? "PodInitializing" : "ContainerCreating")]]
    }
    var state: JSONValue = ["waiting": ["reason": .string(problem.reason)]]
    if !problem.message.isEmpty { state["waiting"]["message"] = .string(problem.message) }
    return state
  }

  private func hasPendingInit(before name: String) -> Bool {
    !pod.initContainers.isEmpty && pod.containers.contains { $0["name"].string == name }
      && pod.initContainers.contains { latest($0)?.exit?.code != 0 }
  }

  private func terminatedState(_ record: ContainerRecord) -> JSONValue {
    guard let exit = record.exit else { return [:] }
    var state: JSONValue = [
      "exitCode": .integer(Int64(exit.code)), "reason": .string(exit.reason),
      "finishedAt": .string(exit.finished.description), "containerID": .string("containerd://\(record.id)"),
    ]
    state["startedAt"] = exit.started.map { .string($0.description) } ?? .null
    if exit.started == nil { state.remove("startedAt") }
    if !exit.message.isEmpty { state["message"] = .string(exit.message) }
    return ["terminated": state]
  }

  private func conditions(phase: String, statuses: [JSONValue]) -> [JSONValue] {
    let isDone = phase == "Succeeded" || phase == "Failed"
    let initialized = pod.initContainers.allSatisfy { container in
      let latest = latest(container)
      if container["restartPolicy"].string == "Always" { return latest.map { started.contains($0.id) } ?? false }
      return latest?.exit?.code == 0
    }
    let unready = statuses.filter { $0["ready"].bool != true }.compactMap { $0["name"].string }
    let notReady: (String, String)? =
      phase == "Succeeded"
      ? ("PodCompleted", "")
      : phase == "Failed"
        ? ("PodFailed", "")
        : unready.isEmpty
          ? nil : ("ContainersNotReady", "containers with unready status: [\(unready.joined(separator: " "))]")
    let incomplete = pod.initContainers.filter { latest($0)?.exit?.code != 0 }.compactMap { $0["name"].string }
    var conditions: [JSONValue] = []
    conditions.append(condition("PodReadyToStartContainers", (!podIP.isEmpty && !isDone) ? nil : ("", "")))
    conditions.append(
      condition(
        "Initialized",
        initialized || phase == "Succeeded"
          ? nil
          : ("ContainersNotInitialized", "containers with incomplete status: [\(incomplete.joined(separator: " "))]")))
    conditions.append(condition("Ready", notReady))
    conditions.append(condition("ContainersReady", notReady))
    conditions.append(condition("PodScheduled", nil))
    let own = Set(conditions.compactMap { $0["type"].string })
    return conditions + pod.status["conditions"].elements.filter { !own.contains($0["type"].string ?? "") }
  }

  /// A condition that is true, or false for a reason; its time of transition is kept while its status stays.
  private func condition(_ type: String, _ problem: (reason: String, message: String)?) -> JSONValue {
    let status = problem == nil ? "True" : "False"
    var condition: JSONValue = ["type": .string(type), "status": .string(status), "lastProbeTime": .null]
    if let problem {
      if !problem.reason.isEmpty { condition["reason"] = .string(problem.reason) }
      if !problem.message.isEmpty { condition["message"] = .string(problem.message) }
    }
    let old = pod.status["conditions"].elements.first { $0["type"].string == type }
    let time = old.flatMap { $0["status"].string == status ? $0["lastTransitionTime"].string : nil }
    condition["lastTransitionTime"] = .string(time ?? now.description)
    return condition
  }
}
