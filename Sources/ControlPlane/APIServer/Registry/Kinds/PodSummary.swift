import JSONDocument
import KubernetesAPI

/// What `kubectl get pods` says about a pod in three words.
struct PodSummary {
  private(set) var readyContainers = 0
  private(set) var allContainers = 0
  /// Running, Completed, Init:0/1, CrashLoopBackOff, Terminating…
  private(set) var reason: String
  private var restartCount = 0
  private var lastRestart: Timestamp?

  /// `2 (3m ago)`
  var restarts: String {
    guard restartCount > 0, let lastRestart else { return String(restartCount) }
    return "\(restartCount) (\(HumanDuration.text(seconds: Timestamp.now.seconds(since: lastRestart))) ago)"
  }

  init(_ pod: KubernetesObject) {
    reason = pod.status["phase"].string ?? "Unknown"
    if let more = pod.status["reason"].string, !more.isEmpty { reason = more }
    if pod.shownCondition("PodScheduled")["reason"].string == "SchedulingGated" { reason = "SchedulingGated" }
    let sidecars = Set(
      pod.spec["initContainers"].elements.filter { $0["restartPolicy"].string == "Always" }.compactMap {
        $0["name"].string
      })
    allContainers = pod.spec["containers"].elements.count + sidecars.count
    let isInitializing = readInitContainers(pod, sidecars: sidecars)
    if !isInitializing { readContainers(pod) }
    if pod.isBeingDeleted {
      reason = pod.status["reason"].string == "NodeLost" ? "Unknown" : "Terminating"
    }
  }

  private mutating func countRestarts(_ container: JSONValue) {
    restartCount += container["restartCount"].count ?? 0
    if let finished = container["lastState"]["terminated"]["finishedAt"].string.flatMap(Timestamp.init) {
      lastRestart = max(lastRestart ?? finished, finished)
    }
  }

  /// - Returns: whether an init container is still at work, so that it speaks for the pod.
  private mutating func readInitContainers(_ pod: KubernetesObject, sidecars: Set<String>) -> Bool {
    let statuses = pod.status["initContainerStatuses"].elements
    var sidecarRestarts = 0
    var sidecarRestart: Timestamp?
    for (index, container) in statuses.enumerated() {
      let isSidecar = sidecars.contains(container["name"].string ?? "")
      countRestarts(container)
      if isSidecar {
        sidecarRestarts += container["restartCount"].count ?? 0
        if let finished = container["lastState"]["terminated"]["finishedAt"].string.flatMap(Timestamp.init) {
          sidecarRestart = max(sidecarRestart ?? finished, finished)
        }
        if container["ready"].bool == true { readyContainers += 1 }
      }
      let (terminated, waiting) = (container["state"]["terminated"], container["state"]["waiting"])
      if terminated["exitCode"].int == 0 { continue }
      if isSidecar, container["started"].bool == true { continue }
      if !terminated.isNull {
        reason = "Init:\(Self.end(of: terminated))"
      } else if let why = waiting["reason"].string, !why.isEmpty, why != "PodInitializing" {
        reason = "Init:\(why)"
      } else {
        reason = "Init:\(index)/\(pod.spec["initContainers"].elements.count)"
      }
      return pod.shownCondition("Initialized")["status"].string != "True"
    }
    // Init containers that are done no longer count: only those that keep running do.
    restartCount = sidecarRestarts
    lastRestart = sidecarRestart
    return false
  }

  private mutating func readContainers(_ pod: KubernetesObject) {
    var hasRunning = false
    for container in pod.status["containerStatuses"].elements.reversed() {
      countRestarts(container)
      let state = container["state"]
      if let why = state["waiting"]["reason"].string, !why.isEmpty {
        reason = why
      } else if !state["terminated"].isNull {
        reason = Self.end(of: state["terminated"])
      } else if !state["running"].isNull, container["ready"].bool == true {
        hasRunning = true
        readyContainers += 1
      }
    }
    // One container is through, others still work: the pod as a whole runs.
    if reason == "Completed", hasRunning {
      reason = pod.shownCondition("Ready")["status"].string == "True" ? "Running" : "NotReady"
    }
  }

  private static func end(of terminated: JSONValue) -> String {
    if let reason = terminated["reason"].string, !reason.isEmpty { return reason }
    if let signal = terminated["signal"].int, signal != 0 { return "Signal:\(signal)" }
    return "ExitCode:\(terminated["exitCode"].int ?? 0)"
  }
}
