import BoundedNumbers
import JSONDocument
import KubernetesAPI

/// What is known about an Application's parts when its state is judged.
public struct ApplicationSurroundings: Sendable {
  public var deployment: KubernetesObject?
  public var replicaSets: [KubernetesObject] = []
  public var pods: [KubernetesObject] = []
  /// The claims of the volumes that the Application names.
  public var claims: [KubernetesObject] = []
  /// Warnings about those claims (core/v1 Event).
  public var claimEvents: [KubernetesObject] = []
  /// CSIStorageCapacity objects: how large a new volume may be, per storage class and topology segment.
  public var capacities: [KubernetesObject] = []

  public init() {}
}

/// Judges whether an Application serves as its spec says and, if not, why.
public struct ApplicationDiagnosis: Sendable, Hashable {
  /// `nil`: it serves.
  public var problem: ApplicationProblem?
  /// The judgement changes after this time even if no object does.
  public var lookAgainAfter: Duration?

  /// How long a running container may take until a probe that fails counts as a fault.
  static let startGraceSeconds: Int64 = 10

  /// - Parameter refusals: what the API refused when the parts were made.
  public init(
    _ application: Application, _ surroundings: ApplicationSurroundings, refusals: [ApplicationProblem], now: Timestamp
  ) {
    if let refusal = refusals.first {
      problem = refusal
      return
    }
    guard let deployment = surroundings.deployment else {
      problem = ApplicationProblem(.progressing, "the Deployment \(application.name) is being made")
      return
    }
    if application.replicas == 0 {
      problem = ApplicationProblem(
        .scaledToZero,
        "it has no replicas; start it with: nagaya scale app \(application.name) --replicas=1 -n \(application.namespace)"
      )
      return
    }
    let status = deployment.status
    let isCurrent = (status["observedGeneration"].int ?? 0) >= deployment.generation
    let (updated, ready) = (status["updatedReplicas"].int ?? 0, status["readyReplicas"].int ?? 0)
    if isCurrent, updated >= application.replicas, ready >= application.replicas,
      (status["replicas"].int ?? 0) == updated, deployment.spec["replicas"].int == application.replicas
    {
      return
    }
    let pods = Self.currentPods(deployment, surroundings)
    if let fault = Self.volumeFault(application, surroundings) ?? Self.replicaFault(deployment) {
      problem = fault
      return
    }
    for pod in pods where !Self.isReady(pod) {
      let (fault, wait) = Self.podFault(application, pod, now: now)
      if let wait { lookAgainAfter = lookAgainAfter.map { min($0, wait) } ?? wait }
      if let fault {
        problem = fault
        return
      }
    }
    let condition = deployment.status["conditions"].elements.first { $0["type"].string == "Progressing" }
    if condition?["reason"].string == "ProgressDeadlineExceeded" {
      problem = ApplicationProblem(.notReady, condition?["message"].string ?? "the rollout makes no progress")
      return
    }
    let readyNow = pods.count(where: Self.isReady)
    problem = ApplicationProblem(.progressing, "\(readyNow) of \(application.replicas) pods are ready")
  }

  // MARK: Volumes

  private static func volumeFault(_ application: Application, _ surroundings: ApplicationSurroundings)
    -> ApplicationProblem?
  {
    for claim in surroundings.claims {
      switch claim.status["phase"].string {
      case "Bound": continue
      case "Lost":
        return ApplicationProblem(.volumePending, "the volume of claim \(claim.name) is lost")
      default: break
      }
      if let fault = tooLarge(claim, surroundings.capacities) { return fault }
      let warnings = surroundings.claimEvents.filter {
        $0["involvedObject"]["uid"].string == claim.uid && $0["type"].string == "Warning"
      }
      if let last = warnings.max(by: { ($0["lastTimestamp"].string ?? "") < ($1["lastTimestamp"].string ?? "") }) {
        return ApplicationProblem(.volumePending, "claim \(claim.name): \(last["message"].string ?? "")")
      }
    }
    return nil
  }

  /// No place can take the claim.
  private static func tooLarge(_ claim: KubernetesObject, _ capacities: [KubernetesObject]) -> ApplicationProblem? {
    // A claim that has a node has been promised its space.
    guard claim.annotations["volume.kubernetes.io/selected-node"] == nil,
      let text = claim.spec["resources"]["requests"]["storage"].string, let asked = Quantity(text),
      let storageClass = claim.spec["storageClassName"].string
    else { return nil }
    let sizes = capacities.filter { $0["storageClassName"].string == storageClass }.compactMap { capacity in
      [capacity["capacity"], capacity["maximumVolumeSize"]]
        .compactMap { $0.string.flatMap { Quantity($0) } ?? $0.int.map { Quantity(bytes: Int64($0)) } }.min()
    }
    guard let largest = sizes.max(), largest < asked else { return nil }
    return ApplicationProblem(
      .volumeTooLarge,
      "volume \(claim.labels[Application.volumeLabel] ?? claim.name) asks for \(asked); the largest free space is "
        + "\(readable(largest)). Ask for less, or free space (nagaya get pools)")
  }

  /// Bytes for people: at most four digits and a binary unit, rounded down.
  static func readable(_ quantity: Quantity) -> String {
    var value = quantity.value
    var unit = 0
    let units = ["", "Ki", "Mi", "Gi", "Ti", "Pi"]
    while value >= 10_000, unit < units.count - 1 {
      value /= 1024
      unit += 1
    }
    while unit < units.count - 1, value > 0, value % 1024 == 0 {
      value /= 1024
      unit += 1
    }
    return "\(value)\(units[unit])"
  }

  // MARK: Deployment

  private static func replicaFault(_ deployment: KubernetesObject) -> ApplicationProblem? {
    let failure = deployment.status["conditions"].elements.first {
      $0["type"].string == "ReplicaFailure" && $0["status"].string == "True"
    }
    guard let message = failure?["message"].string else { return nil }
    if message.contains("exceeded quota") {
      return ApplicationProblem(.quotaExceeded, "\(message). Ask for less, or for a larger quota of the tenant")
    }
    return ApplicationProblem(message.contains("forbidden") ? .forbidden : .invalid, message)
  }

  /// The pods of the newest ReplicaSet; all pods while there is none.
  private static func currentPods(_ deployment: KubernetesObject, _ surroundings: ApplicationSurroundings)
    -> [KubernetesObject]
  {
    func revision(_ set: KubernetesObject) -> Int {
      set.annotations["deployment.kubernetes.io/revision"].flatMap { Int($0) } ?? 0
    }
    let sets = surroundings.replicaSets.filter { $0.controller?.uid == deployment.uid }
    let newest = sets.max {
      (revision($0), $0.creationTimestamp?.seconds ?? 0) < (revision($1), $1.creationTimestamp?.seconds ?? 0)
    }
    let pods = surroundings.pods.filter { !$0.isBeingDeleted }
    guard let newest else { return pods }
    return pods.filter { $0.controller?.uid == newest.uid }
  }

  private static func isReady(_ pod: KubernetesObject) -> Bool {
    condition("Ready", of: pod)?["status"].string == "True"
  }

  private static func condition(_ type: String, of pod: KubernetesObject) -> JSONValue? {
    pod.status["conditions"].elements.first { $0["type"].string == type }
  }

  // MARK: Pods

  private static func podFault(_ application: Application, _ pod: KubernetesObject, now: Timestamp) -> (
    ApplicationProblem?, lookAgainAfter: Duration?
  ) {
    if let scheduled = condition("PodScheduled", of: pod), scheduled["status"].string == "False" {
      return (ApplicationProblem(.unschedulable, scheduled["message"].string ?? "no node takes the pod"), nil)
    }
    guard let container = pod.status["containerStatuses"].elements.first else {
      // A pod that failed before its container was made: evicted, rejected by the node.
      if pod.status["phase"].string == "Failed" {
        let why = pod.status["message"].string ?? pod.status["reason"].string ?? "no reason given"
        return (ApplicationProblem(.notReady, "pod \(pod.name) failed: \(why)"), nil)
      }
      return (nil, nil)
    }
    let waiting = container["state"]["waiting"]
    if let fault = waitingFault(application, waiting) { return (fault, nil) }
    let running = container["state"]["running"]
    let ended =
      running.isNull && !container["state"]["terminated"].isNull
      ? container["state"]["terminated"] : container["lastState"]["terminated"]
    let restarts = container["restartCount"].count ?? 0
    if !ended.isNull { return (crash(application, ended, restarts: restarts), nil) }
    guard let started = running["startedAt"].string.flatMap(Timestamp.init) else { return (nil, nil) }
    let age = max(0, now.seconds(since: started))
    guard age >= startGraceSeconds else { return (nil, .seconds(clamping: startGraceSeconds - age)) }
    return (probeFault(application), nil)
  }

  private static func waitingFault(_ application: Application, _ waiting: JSONValue) -> ApplicationProblem? {
    let message = waiting["message"].string ?? ""
    let image = "image \(application.image)"
    switch waiting["reason"].string ?? "" {
    case "ImageNotFound": return ApplicationProblem(.imageNotFound, message)
    case "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "RegistryUnavailable":
      let isMissing = ["not found", "notfound", "manifest unknown", "does not exist", "not present"]
        .contains { message.lowercased().contains($0) }
      if isMissing {
        return ApplicationProblem(.imageNotFound, "\(image) is not found; check its name and tag (\(message))")
      }
      let reason: ApplicationProblem.Reason =
        waiting["reason"].string == "ImagePullBackOff" ? .imagePullBackOff : .imagePull
      return ApplicationProblem(reason, "\(image) cannot be pulled: \(message)")
    case "InvalidImageName":
      return ApplicationProblem(.invalidImage, "\(image) is no valid image name")
    case "CreateContainerConfigError", "CreateContainerError", "RunContainerError":
      return ApplicationProblem(.containerConfig, "the container cannot be made: \(message)")
    default: return nil  // CrashLoopBackOff is told by the last end; ContainerCreating is the normal course
    }
  }

  private static func crash(_ application: Application, _ ended: JSONValue, restarts: Int) -> ApplicationProblem {
    let code = ended["exitCode"].int ?? -1
    var what = "exit code \(code)"
    if ended["reason"].string == "OOMKilled" {
      let limit = application.object.spec["resources"]["limits"]["memory"].string
      what = "out of memory" + (limit.map { " (limit \($0))" } ?? "")
    } else if ended["reason"].string == "StartError" || ended["reason"].string == "ContainerCannotRun" {
      what = "cannot start: \(ended["message"].string ?? "exit code \(code)")"
    }
    let times = restarts == 1 ? "1 restart" : "\(restarts) restarts"
    return ApplicationProblem(
      .crashLoop, "\(what), \(times): nagaya logs app \(application.name) -n \(application.namespace)")
  }

  private static func probeFault(_ application: Application) -> ApplicationProblem {
    let logs = "nagaya logs app \(application.name) -n \(application.namespace)"
    guard let path = application.readinessPath else {
      return ApplicationProblem(
        .portNotOpen, "nothing listens on port \(application.port) of the pod's address; is it the app's port? \(logs)")
    }
    return ApplicationProblem(
      .notReady, "GET \(path) on port \(application.port) does not succeed: \(logs)")
  }
}
