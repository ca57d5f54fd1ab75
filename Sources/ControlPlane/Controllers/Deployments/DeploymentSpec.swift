import JSONDocument
import KubernetesAPI

/// The parts of a Deployment's spec that a rollout goes by, with their defaults (apps/v1 DeploymentSpec).
struct DeploymentSpec: Sendable, Equatable {
  var replicas: Int
  var isRecreate: Bool
  /// Pods above `replicas` that a rollout may have.
  var maxSurge: Int
  /// Pods below `replicas` that a rollout may be short of.
  var maxUnavailable: Int
  var isPaused: Bool
  var revisionHistoryLimit: Int
  /// `nil`: no deadline.
  var progressDeadlineSeconds: Int?
  var minReadySeconds: Int

  init(_ deployment: KubernetesObject) {
    let spec = deployment.spec
    replicas = max(0, spec["replicas"].int ?? 1)
    isRecreate = spec["strategy"]["type"].string == "Recreate"
    let rolling = spec["strategy"]["rollingUpdate"]
    maxSurge = Self.share(rolling["maxSurge"], of: replicas, roundingUp: true)
    maxUnavailable = min(replicas, Self.share(rolling["maxUnavailable"], of: replicas, roundingUp: false))
    // Percentages may both round to nothing, and then nothing could move.
    if maxSurge == 0, maxUnavailable == 0 { maxUnavailable = 1 }
    if isRecreate {
      maxSurge = 0
      maxUnavailable = replicas
    }
    isPaused = spec["paused"].bool ?? false
    revisionHistoryLimit = spec["revisionHistoryLimit"].int ?? 10
    progressDeadlineSeconds = spec["progressDeadlineSeconds"].int ?? 600
    if progressDeadlineSeconds == Int(Int32.max) { progressDeadlineSeconds = nil }
    minReadySeconds = spec["minReadySeconds"].int ?? 0
  }

  /// An `IntOrString`: a count, or a percentage of `total`; 25 % if there is none.
  private static func share(_ value: JSONValue, of total: Int, roundingUp: Bool) -> Int {
    if let count = value.int { return max(0, count) }
    let text = value.string ?? "25%"
    guard text.hasSuffix("%"), let percent = Int(text.dropLast()), percent >= 0 else { return Int(text) ?? 0 }
    let (product, overflow) = total.multipliedReportingOverflow(by: percent)
    if overflow { return total }
    return roundingUp ? (product + 99) / 100 : product / 100
  }
}
