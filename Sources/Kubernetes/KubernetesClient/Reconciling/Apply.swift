import JSONDocument
import KubernetesAPI

/// Compares and merges what a controller wants with what is there, where the server and others have added fields.
public enum DesiredState {
  /// Everything that `desired` names is in `actual` with the same value.
  ///
  /// Members that only `actual` has do not matter; a null in `desired` means that the member must be absent. Arrays must
  /// have as many elements, and are compared element by element, in the same way.
  public static func isMet(_ desired: JSONValue, by actual: JSONValue) -> Bool {
    switch (desired, actual) {
    case (.object(let wanted), .object(let found)):
      wanted.allSatisfy { isMet($0.value, by: found[$0.key] ?? .null) }
    case (.object(let wanted), .null): wanted.allSatisfy { isMet($0.value, by: .null) }
    case (.array(let wanted), .array(let found)):
      wanted.count == found.count && zip(wanted, found).allSatisfy { isMet($0, by: $1) }
    // The server leaves empty lists out.
    case (.array(let wanted), .null): wanted.isEmpty
    default: desired == actual
    }
  }

  /// `actual` with everything that `desired` names; the rest stays.
  public static func merged(_ desired: JSONValue, into actual: JSONValue) -> JSONValue {
    switch (desired, actual) {
    case (.object(let wanted), _):
      var result = actual.members
      for (key, value) in wanted {
        // A plain `nil` would be a JSON null here.
        if value.isNull {
          result.removeValue(forKey: key)
        } else {
          result[key] = merged(value, into: result[key] ?? .null)
        }
      }
      return .object(result)
    case (.array(let wanted), .array(let found)) where wanted.count == found.count:
      return .array(zip(wanted, found).map { merged($0, into: $1) })
    case (.array(let wanted), _): return .array(wanted.map { merged($0, into: .null) })
    default: return desired
    }
  }
}

/// What `KubernetesClient.apply` did.
public enum ApplyOutcome: Sendable {
  /// Nothing was written.
  case unchanged(KubernetesObject)
  case created(KubernetesObject)
  case updated(KubernetesObject)

  public var object: KubernetesObject {
    switch self {
    case .unchanged(let object), .created(let object), .updated(let object): object
    }
  }

  /// Something was written.
  public var isChange: Bool { if case .unchanged = self { false } else { true } }
}

extension KubernetesClient {
  /// Makes the object as desired: creates it, updates what differs, or writes nothing.
  ///
  /// Only what `desired` names is compared and written (`DesiredState`); members that it no longer names stay, unless
  /// it names them as null. Status is left out: use `applyStatus`.
  /// - Parameter existing: the object as a cache has it; `nil`: there is none, as far as the cache knows.
  /// - Throws: `APIStatus`; a conflict if the cache was out of date (reconcile again).
  public func apply(_ desired: KubernetesObject, as resource: Resource, existing: KubernetesObject?) async throws
    -> ApplyOutcome
  {
    var desired = desired
    desired.json.remove("status")
    guard let existing else {
      desired.json = DesiredState.merged(desired.json, into: .null)
      return .created(try await create(desired, as: resource))
    }
    if DesiredState.isMet(desired.json, by: existing.json) { return .unchanged(existing) }
    let merged = KubernetesObject(json: DesiredState.merged(desired.json, into: existing.json))
    return .updated(try await update(merged, as: resource))
  }

  /// The same with what the server has now instead of a cache: one read, and at most one write.
  public func apply(_ desired: KubernetesObject, as resource: Resource) async throws -> ApplyOutcome {
    let existing = try await getIfPresent(resource, namespace: desired.namespace, name: desired.name)
    return try await apply(desired, as: resource, existing: existing)
  }

  /// Writes the status of `changed` if it differs from that of `existing`.
  /// - Returns: the object as it is now.
  @discardableResult
  public func applyStatus(
    _ changed: KubernetesObject, as resource: Resource, existing: KubernetesObject
  ) async throws -> KubernetesObject {
    if changed.status == existing.status { return existing }
    return try await updateStatus(changed, as: resource)
  }
}
