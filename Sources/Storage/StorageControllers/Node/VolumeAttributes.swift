import JSONDocument
import KubernetesAPI
import KubernetesClient

/// What a claim's volume attributes class says (core/v1 `volumeAttributesClassName`).
struct VolumeAttributes: Sendable {
  /// Why it can't be told.
  enum Obstacle: Error, Hashable, CustomStringConvertible {
    case missing(String)
    case ofAnotherDriver(String, String)
    case unreadable(String)

    var description: String {
      switch self {
      case .missing(let name): "there is no VolumeAttributesClass \"\(name)\""
      case .ofAnotherDriver(let name, let driver):
        "VolumeAttributesClass \"\(name)\" is for volumes of \(driver.prefix(253))"
      case .unreadable(let reason): reason
      }
    }

    /// Whether it may be otherwise soon.
    var isPassing: Bool {
      if case .ofAnotherDriver = self { false } else { true }
    }
  }

  /// How soon is looked again for a class that is missing: nothing tells that it has come.
  static let patience = Duration.seconds(10)

  /// None without a class.
  let parameters: [String: String]

  init(_ claim: KubernetesObject, _ client: KubernetesClient, _ driverName: String) async throws(Obstacle) {
    guard let name = claim.attributesClassName else {
      parameters = [:]
      return
    }
    let found: KubernetesObject?
    do { found = try await client.getIfPresent(.volumeAttributesClasses, name: name) } catch {
      throw .unreadable("\(error)")
    }
    guard let found else { throw .missing(name) }
    let driver = found["driverName"].string ?? ""
    guard driver == driverName else { throw .ofAnotherDriver(name, driver) }
    parameters = found["parameters"].strings
  }

  /// Whether a claim wants other attributes than its volume has, or does not say yet what it has.
  static func differ(_ claim: KubernetesObject, _ volume: KubernetesObject) -> Bool {
    guard let wanted = claim.attributesClassName else { return false }
    return volume.attributesClassName != wanted
      || claim.status["currentVolumeAttributesClassName"].string != wanted
      || !claim.status["modifyVolumeStatus"].isNull
  }
}

/// Gives the volume of a bound claim the attributes that the claim asks for, and tells of it as Kubernetes' resizer does: in the
/// volume's spec and in the claim's status.
struct VolumeAttributesChange: Sendable {
  let driverName: String
  let client: KubernetesClient
  let driver: VolumeDriver
  let events: EventRecorder

  func make(_ claim: KubernetesObject, _ volume: KubernetesObject, _ handle: String) async throws -> ReconcileResult {
    guard let wanted = claim.attributesClassName else { return .done }
    if volume.attributesClassName != wanted {
      let attributes: VolumeAttributes
      do throws(VolumeAttributes.Obstacle) {
        attributes = try await VolumeAttributes(claim, client, driverName)
      } catch { return try await wait(claim, wanted, error.isPassing ? "Pending" : "Infeasible", error.description) }
      do throws(VolumeDriver.Refusal) { try await driver.modify(handle, attributes.parameters) } catch {
        if error.kind == .passing { throw error }
        return try await wait(claim, wanted, "Infeasible", error.description)
      }
      try await client.patch(
        .persistentVolumes, name: volume.name,
        ["metadata": ["uid": .string(volume.uid)], "spec": ["volumeAttributesClassName": .string(wanted)]])
      events.record(
        .normal, about: claim, reason: "VolumeModifySuccessful",
        message: "volume \(volume.name) has the attributes of class \(wanted)")
    }
    var changed = claim
    changed.status["currentVolumeAttributesClassName"] = .string(wanted)
    changed.status.remove("modifyVolumeStatus")
    try await client.applyStatus(changed, as: .persistentVolumeClaims, existing: claim)
    return .done
  }

  private func wait(_ claim: KubernetesObject, _ wanted: String, _ state: String, _ why: String) async throws
    -> ReconcileResult
  {
    events.record(.warning, about: claim, reason: "VolumeModifyFailed", message: "attributes stay as they are: \(why)")
    var changed = claim
    changed.status["modifyVolumeStatus"] = [
      "targetVolumeAttributesClassName": .string(wanted), "status": .string(state),
    ]
    try await client.applyStatus(changed, as: .persistentVolumeClaims, existing: claim)
    return .requeueAfter(VolumeAttributes.patience)
  }
}

extension KubernetesObject {
  /// `volumeAttributesClassName` of a claim or a volume; an empty one is none.
  var attributesClassName: String? {
    spec["volumeAttributesClassName"].string.flatMap { $0.isEmpty ? nil : $0 }
  }
}
