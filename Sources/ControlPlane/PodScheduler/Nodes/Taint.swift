import JSONDocument

/// A node's refusal of pods that do not tolerate it (core/v1 Taint).
struct Taint: Sendable, Hashable, CustomStringConvertible {
  var key: String
  var value: String
  var effect: String

  init(key: String, value: String = "", effect: String) {
    self.key = key
    self.value = value
    self.effect = effect
  }

  init(json: JSONValue) {
    self.init(
      key: json["key"].string ?? "", value: json["value"].string ?? "", effect: json["effect"].string ?? "")
  }

  /// Pods that do not tolerate it must not come.
  var isHard: Bool { effect == "NoSchedule" || effect == "NoExecute" }
  /// As kube-scheduler writes it: `{key: value}`.
  var description: String { "{\(key): \(value)}" }

  /// One of the pod's tolerations (core/v1 Toleration) covers it.
  func isTolerated(by tolerations: [JSONValue]) -> Bool {
    tolerations.contains { toleration in
      if let effect = toleration["effect"].string, !effect.isEmpty, effect != self.effect { return false }
      let key = toleration["key"].string ?? ""
      let exists = toleration["operator"].string == "Exists"
      if key.isEmpty { return exists }
      return key == self.key && (exists || (toleration["value"].string ?? "") == value)
    }
  }
}
