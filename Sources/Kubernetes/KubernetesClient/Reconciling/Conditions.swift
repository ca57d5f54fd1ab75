import JSONDocument
import KubernetesAPI

/// A condition of an object's status (`metav1.Condition`).
public struct Condition: Sendable, Hashable {
  public enum Status: String, Sendable, Hashable {
    case yes = "True"
    case no = "False"
    case unknown = "Unknown"

    public init(_ flag: Bool) { self = flag ? .yes : .no }
  }

  public var type: String
  public var status: Status
  /// One word in CamelCase.
  public var reason: String
  public var message: String
  public var observedGeneration: Int?

  public init(
    _ type: String, _ status: Status, reason: String, message: String = "", observedGeneration: Int? = nil
  ) {
    self.type = type
    self.status = status
    self.reason = reason
    self.message = message
    self.observedGeneration = observedGeneration
  }
}

extension KubernetesObject {
  /// The condition of `status.conditions` of that type.
  public func condition(_ type: String) -> JSONValue? {
    status["conditions"].elements.first { $0["type"].string == type }
  }

  /// The condition is there, with status "True".
  public func isConditionTrue(_ type: String) -> Bool { condition(type)?["status"].string == "True" }

  /// Puts a condition into `status.conditions`.
  ///
  /// `lastTransitionTime` moves only when the status does; if nothing differs, nothing is changed.
  /// - Parameter withUpdateTime: also keep `lastUpdateTime`, as Deployments do; it moves with any difference.
  /// - Returns: whether the object was changed.
  @discardableResult
  public mutating func setCondition(
    _ condition: Condition, now: Timestamp = .now, withUpdateTime: Bool = false
  ) -> Bool {
    var conditions = status["conditions"].elements
    let index = conditions.firstIndex { $0["type"].string == condition.type }
    let old = index.map { conditions[$0] } ?? [:]
    var new = old
    new["type"] = .string(condition.type)
    new["status"] = .string(condition.status.rawValue)
    new["reason"] = .string(condition.reason)
    new["message"] = .string(condition.message)
    if let generation = condition.observedGeneration { new["observedGeneration"] = JSONValue(generation) }
    if new == old { return false }
    if old["status"] != new["status"] { new["lastTransitionTime"] = .string(now.description) }
    if withUpdateTime { new["lastUpdateTime"] = .string(now.description) }
    if let index { conditions[index] = new } else { conditions.append(new) }
    status["conditions"] = .array(conditions)
    return true
  }

  /// Takes a condition out; returns whether it was there.
  @discardableResult
  public mutating func removeCondition(_ type: String) -> Bool {
    let conditions = status["conditions"].elements
    let kept = conditions.filter { $0["type"].string != type }
    if kept.count == conditions.count { return false }
    status["conditions"] = .array(kept)
    return true
  }
}
