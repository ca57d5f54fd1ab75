import BoundedNumbers
import JSONDocument
import KubernetesAPI
import KubernetesClient

extension KubernetesObject {
  /// `status.phase` of a pod; "Pending" if it has none yet.
  var podPhase: String { status["phase"].string ?? "Pending" }
  /// The pod has run to its end.
  var isTerminatedPod: Bool { podPhase == "Succeeded" || podPhase == "Failed" }
  /// The pod counts: it has not ended and is not about to.
  var isActivePod: Bool { !isTerminatedPod && !isBeingDeleted }
  var isReadyPod: Bool { isConditionTrue("Ready") }

  /// When the pod became ready, if it is.
  var readySince: Timestamp? {
    guard isReadyPod else { return nil }
    return condition("Ready")?["lastTransitionTime"].string.flatMap(Timestamp.init) ?? creationTimestamp
  }

  /// Seconds until the pod has been ready for `minReadySeconds`: 0 if it is available, `nil` if it is not ready.
  func secondsUntilAvailable(minReadySeconds: Int, now: Timestamp) -> Int64? {
    guard let readySince else { return nil }
    return max(0, Int64(minReadySeconds).clampedSubtracting(now.seconds(since: readySince)))
  }
}
