import BoundedNumbers
import JSONDocument
import KubernetesAPI

/// What the node agent reads of a pod (core/v1 `PodSpec`).
extension KubernetesObject {
  var containers: [JSONValue] { spec["containers"].elements }
  var initContainers: [JSONValue] { spec["initContainers"].elements }
  var isHostNetwork: Bool { spec["hostNetwork"].bool ?? false }
  /// Who asks for a token for the API gets a way to it; the API stays closed to all others.
  var mayCallAPI: Bool { tokenProjections.contains(where: \.isForAPI) }
  var restartPolicy: RestartPolicy {
    spec["restartPolicy"].string.flatMap(RestartPolicy.init(rawValue:)) ?? .always
  }

  /// Seconds from the request to end until the kill.
  var graceSeconds: Int { Self.grace.clamp(metadata["deletionGracePeriodSeconds"].int ?? restartGraceSeconds) }

  /// Seconds from a failed probe until the kill.
  var restartGraceSeconds: Int { Self.grace.clamp(spec["terminationGracePeriodSeconds"].int ?? 30) }

  /// As many as the runtime's clock can add.
  private static let grace = Bounded("terminationGracePeriodSeconds", 0...Int(Int32.max))

  /// Pods get their resources in this order of care (Pod Quality of Service Classes).
  var qualityOfService: String {
    var hasAny = false
    var isGuaranteed = true
    for container in containers + initContainers {
      let (limits, requests) = (container["resources"]["limits"], container["resources"]["requests"])
      for name in ["cpu", "memory"] {
        let (limit, request) = (limits[name].quantity, requests[name].quantity)
        if let limit, limit.milli > 0 { hasAny = true }
        if let request, request.milli > 0 { hasAny = true }
        // A request that is not there is the limit's.
        guard let limit, limit.milli > 0, (request ?? limit).milli == limit.milli else {
          isGuaranteed = false
          continue
        }
      }
    }
    return !hasAny ? "BestEffort" : isGuaranteed ? "Guaranteed" : "Burstable"
  }
}

extension JSONValue {
  /// A resource quantity, written as text or as a number.
  var quantity: Quantity? {
    if let string { return Quantity(string) }
    if let int { return Quantity(String(int)) }
    return nil
  }
}

/// When an ended container is started again (`PodSpec.restartPolicy`).
enum RestartPolicy: String, Sendable {
  case always = "Always"
  case onFailure = "OnFailure"
  case never = "Never"

  func restarts(exitCode: Int32) -> Bool {
    switch self {
    case .always: true
    case .onFailure: exitCode != 0
    case .never: false
    }
  }
}

/// Why something of a pod can't go on for now: the reason and message of a waiting container.
struct PodProblem: Error, Hashable, Sendable, CustomStringConvertible {
  /// One word: `ErrImagePull`, `CreateContainerConfigError`.
  let reason: String
  let message: String
  /// The event's reason, where it differs: `FailedMount`.
  let event: String

  init(_ reason: String, _ message: String, event: String? = nil) {
    self.reason = reason
    self.message = message
    self.event = event ?? "Failed"
  }

  var description: String { "\(reason): \(message)" }
}
