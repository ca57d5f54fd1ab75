import BoundedNumbers
import JSONDocument
import KubernetesAPI
import KubernetesClient

/// The status of a Deployment, as `kubectl rollout status` reads it.
enum DeploymentStatus {
  /// - Parameters:
  ///   - new: the set of the present template.
  ///   - didCreateSet: `new` was created in this reconcile.
  /// - Returns: the Deployment with its new status, and how long until the progress deadline, if one runs.
  static func make(
    for deployment: KubernetesObject, spec: DeploymentSpec, new: KubernetesObject?, all: [KubernetesObject],
    didCreateSet: Bool, now: Timestamp
  ) -> (deployment: KubernetesObject, deadlineIn: Duration?) {
    func sum(_ key: String) -> Int { all.reduce(0) { $0 + ($1.status[key].count ?? 0) } }
    let asked = all.reduce(0) { $0 + ($1.spec["replicas"].count ?? 0) }
    let available = sum("availableReplicas")
    let updated = new?.status["replicas"].count ?? 0
    var changed = deployment
    let counts = [
      "replicas": sum("replicas"), "updatedReplicas": updated, "readyReplicas": sum("readyReplicas"),
      "availableReplicas": available, "unavailableReplicas": max(0, asked - available),
    ]
    for (key, count) in counts {
      if count > 0 { changed.status[key] = JSONValue(count) } else { changed.status.remove(key) }
    }
    changed.status["observedGeneration"] = JSONValue(deployment.generation)

    if available >= spec.replicas - spec.maxUnavailable {
      changed.setCondition(
        Condition(
          "Available", .yes, reason: "MinimumReplicasAvailable", message: "Deployment has minimum availability."),
        now: now, withUpdateTime: true)
    } else {
      changed.setCondition(
        Condition(
          "Available", .no, reason: "MinimumReplicasUnavailable",
          message: "Deployment does not have minimum availability."),
        now: now, withUpdateTime: true)
    }
    if let failure = all.compactMap({ $0.condition("ReplicaFailure") }).first {
      changed.setCondition(
        Condition(
          "ReplicaFailure", .yes, reason: failure["reason"].string ?? "FailedCreate",
          message: failure["message"].string ?? ""),
        now: now, withUpdateTime: true)
    } else {
      changed.removeCondition("ReplicaFailure")
    }
    let isComplete =
      updated == spec.replicas && sum("replicas") == spec.replicas && available == spec.replicas && new != nil
    let deadline = setProgress(
      of: &changed, before: deployment, spec: spec, new: new, isComplete: isComplete, didCreateSet: didCreateSet,
      now: now)
    return (changed, deadline)
  }

  private static func setProgress(
    of changed: inout KubernetesObject, before: KubernetesObject, spec: DeploymentSpec, new: KubernetesObject?,
    isComplete: Bool, didCreateSet: Bool, now: Timestamp
  ) -> Duration? {
    func set(_ status: Condition.Status, _ reason: String, _ message: String) {
      changed.setCondition(
        Condition("Progressing", status, reason: reason, message: message), now: now, withUpdateTime: true)
    }
    let current = before.condition("Progressing")
    let reason = current?["reason"].string
    if spec.isPaused {
      if !isComplete || reason != "NewReplicaSetAvailable" {
        set(.unknown, "DeploymentPaused", "Deployment is paused")
      }
      return nil
    }
    guard let deadline = spec.progressDeadlineSeconds else {
      changed.removeCondition("Progressing")
      return nil
    }
    let name = new?.name ?? before.name
    if didCreateSet {
      set(.yes, "NewReplicaSetCreated", "Created new replica set \"\(name)\"")
      return .seconds(clamping: deadline)
    }
    if isComplete {
      set(.yes, "NewReplicaSetAvailable", "ReplicaSet \"\(name)\" has successfully progressed.")
      return nil
    }
    // A finished rollout that merely lost a pod, or was scaled, is not a rollout again.
    let hasOldPods = (changed.status["replicas"].count ?? 0) != (changed.status["updatedReplicas"].count ?? 0)
    if reason == "NewReplicaSetAvailable", !hasOldPods { return nil }
    if reason == "DeploymentPaused" {
      set(.unknown, "DeploymentResumed", "Deployment is resumed")
      return .seconds(clamping: deadline)
    }
    if hasProgressed(from: before.status, to: changed.status) || current == nil || reason == "NewReplicaSetAvailable" {
      set(.yes, "ReplicaSetUpdated", "ReplicaSet \"\(name)\" is progressing.")
      touch(&changed, now)
      return .seconds(clamping: deadline)
    }
    if reason == "ProgressDeadlineExceeded" { return nil }
    let since = current?["lastUpdateTime"].string.flatMap(Timestamp.init) ?? now
    let left = Int64(deadline).clampedSubtracting(now.seconds(since: since))
    if left > 0 { return .seconds(clamping: left.clampedAdding(1)) }
    set(.no, "ProgressDeadlineExceeded", "ReplicaSet \"\(name)\" has timed out progressing.")
    return nil
  }

  private static func hasProgressed(from old: JSONValue, to new: JSONValue) -> Bool {
    func count(_ status: JSONValue, _ key: String) -> Int { status[key].count ?? 0 }
    func outdated(_ status: JSONValue) -> Int { count(status, "replicas") - count(status, "updatedReplicas") }
    return count(new, "updatedReplicas") > count(old, "updatedReplicas") || outdated(new) < outdated(old)
      || count(new, "readyReplicas") > count(old, "readyReplicas")
      || count(new, "availableReplicas") > count(old, "availableReplicas")
  }

  /// The deadline runs anew from each progress, though nothing else of the condition differs.
  private static func touch(_ deployment: inout KubernetesObject, _ now: Timestamp) {
    deployment.status["conditions"] = .array(
      deployment.status["conditions"].elements.map { condition in
        guard condition["type"].string == "Progressing" else { return condition }
        var condition = condition
        condition["lastUpdateTime"] = .string(now.description)
        return condition
      })
  }
}
