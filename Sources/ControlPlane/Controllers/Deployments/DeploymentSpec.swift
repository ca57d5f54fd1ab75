import BoundedNumbers
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
    replicas = spec["replicas"].count ?? 1
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
    revisionHistoryLimit = spec["revisionHistoryLimit"].count ?? 10
    progressDeadlineSeconds = spec["progressDeadlineSeconds"].count ?? 600
    if progressDeadlineSeconds == Int(Int32.max) { progressDeadlineSeconds = nil }
    minReadySeconds = spec["minReadySeconds"].count ?? 0
  }

  /// Pods that anything can be about.
  private static let bound = Bounded("pods", 0...Int(Int32.max))

  /// An `IntOrString`: a count, or a percentage of `total`; 25 % if there is none.
  private static func share(_ value: JSONValue, of total: Int, roundingUp: Bool) -> Int {
    if let count = value.count { return count }
    let text = value.string ?? "25%"
    guard text.hasSuffix("%"), let percent = Int(text.dropLast()), percent >= 0 else {
      return bound.clamp(Int(text) ?? 0)
    }
    let product = total.clampedMultiplying(by: percent)
    return bound.clamp(roundingUp ? product.clampedAdding(99) / 100 : product / 100)
  }
}
