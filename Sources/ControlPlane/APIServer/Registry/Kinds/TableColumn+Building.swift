import JSONDocument
import KubernetesAPI

extension TableColumn {
  /// A column of text; what is missing shows as `<none>`.
  static func text(
    _ name: String, _ description: String, wide: Bool = false, missing: String = "<none>",
    _ value: @escaping @Sendable (KubernetesObject) -> String?
  ) -> TableColumn {
    TableColumn(name, description: description, priority: wide ? 1 : 0) { object in
      let text = value(object) ?? ""
      return .string(text.isEmpty ? missing : text)
    }
  }

  /// A column of whole numbers; what is missing shows as 0.
  static func count(
    _ name: String, _ description: String, wide: Bool = false,
    _ value: @escaping @Sendable (KubernetesObject) -> Int?
  ) -> TableColumn {
    TableColumn(name, type: "integer", description: description, priority: wide ? 1 : 0) { JSONValue(value($0) ?? 0) }
  }

  /// When the object was created, in full.
  static let createdAt = text("Created At", "When the object was created.", missing: "<unknown>") {
    $0.creationTimestamp?.description
  }

  /// The state and the reason of the condition `Ready` (or another), as our own kinds show it.
  static let conditionReady = text("Ready", "Whether the object does what its spec asks for.", missing: "Unknown") {
    $0.shownCondition("Ready")["status"].string
  }
  static let conditionReason = TableColumn(
    "Reason", description: "Why it is not ready; empty when all is well."
  ) { object in
    let ready = object.shownCondition("Ready")
    return ready["status"].string == "True" ? "" : .string(ready["reason"].string ?? "")
  }
}

extension KubernetesObject {
  /// The condition of a type in `status.conditions`; null if there is none.
  func shownCondition(_ type: String) -> JSONValue {
    status["conditions"].elements.first { $0["type"].string == type } ?? .null
  }

  /// The names of the template's containers, in order: a wide column of workloads.
  var templateContainerNames: String { Self.list(spec["template"]["spec"]["containers"], "name") }
  var templateImages: String { Self.list(spec["template"]["spec"]["containers"], "image") }
  var selectorText: String { (try? LabelSelector(json: spec["selector"]))?.text ?? "" }

  private static func list(_ values: JSONValue, _ key: String) -> String {
    values.elements.compactMap { $0[key].string }.joined(separator: ",")
  }

  /// `RWO,ROX`: access modes as tables show them.
  static func accessModes(_ modes: JSONValue) -> String {
    modes.elements.compactMap(\.string).map { mode in
      switch mode {
      case "ReadWriteOnce": "RWO"
      case "ReadOnlyMany": "ROX"
      case "ReadWriteMany": "RWX"
      case "ReadWriteOncePod": "RWOP"
      default: mode
      }
    }.joined(separator: ",")
  }

  /// How long ago an instant was, or `<unknown>`.
  static func age(of instant: String?) -> String {
    guard let instant = instant.flatMap(Timestamp.init) else { return "<unknown>" }
    return HumanDuration.text(seconds: Timestamp.now.seconds(since: instant))
  }
}
