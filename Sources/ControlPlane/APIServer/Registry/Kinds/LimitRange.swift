import JSONDocument
import KubernetesAPI

extension ResourceDefinition {
  /// What each pod, container or claim of a namespace takes at least, at most, and if it says nothing.
  static let limitRange = ResourceDefinition(
    .limitRanges, singular: "limitrange", shortNames: ["limits"], schema: "io.k8s.api.core.v1.LimitRange",
    columns: [.name, .text("Created At", "When it was made.") { $0.metadata["creationTimestamp"].string }],
    applyDefaults: { range in
      range.json.updateMember("spec") { $0.updateElements("limits", LimitRangeDefaults.apply(toItem:)) }
    },
    validate: { range, _ in
      var faults = FieldFaults()
      var types: Set<String> = []
      for (index, item) in range.spec["limits"].elements.enumerated() {
        let field = "spec.limits[\(index)]"
        let type = item["type"].string ?? ""
        if type.isEmpty { faults.required("\(field).type") }
        faults.checkChoice("\(field).type", item["type"], LimitRangeDefaults.types)
        if !types.insert(type).inserted { faults.duplicate("\(field).type", item["type"]) }
        faults.checkLimitRangeItem(field, item, type: type)
      }
      return faults.causes
    })
}

/// What Kubernetes fills into a limit range.
enum LimitRangeDefaults {
  static let types = ["Container", "PersistentVolumeClaim", "Pod"]

  /// A container that may have at most so much gets as much; its request is its limit, or the least that is allowed.
  static func apply(toItem item: inout JSONValue) {
    guard item["type"].string == "Container" else { return }
    for (name, value) in item["max"].members { item["default"].setDefault(name, value) }
    for (name, value) in item["default"].members { item["defaultRequest"].setDefault(name, value) }
    for (name, value) in item["min"].members { item["defaultRequest"].setDefault(name, value) }
  }
}

extension FieldFaults {
  /// One element of `LimitRange.spec.limits`: quantities, in an order that can be met.
  mutating func checkLimitRangeItem(_ field: String, _ item: JSONValue, type: String) {
    for key in ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"] {
      checkResourceList("\(field).\(key)", item[key])
    }
    if type == "Pod" {
      for key in ["default", "defaultRequest"] where !item[key].members.isEmpty {
        forbidden("\(field).\(key)", "may not be specified when `type` is 'Pod'")
      }
    }
    if type == "PersistentVolumeClaim", item["min"]["storage"].isNull, item["max"]["storage"].isNull {
      required("\(field).limits", "either minimum or maximum storage value is required, but neither was provided")
    }
    for (lower, upper) in [
      ("min", "max"), ("min", "default"), ("min", "defaultRequest"), ("default", "max"), ("defaultRequest", "max"),
      ("defaultRequest", "default"),
    ] {
      for (name, value) in item[lower].members.sorted(by: { $0.key < $1.key }) {
        guard let least = Quantity(json: value), let most = Quantity(json: item[upper][name]), least > most else {
          continue
        }
        invalid("\(field).\(lower)[\(name)]", value, "\(lower) value \(least) is greater than \(upper) value \(most)")
      }
    }
    for (name, value) in item["maxLimitRequestRatio"].members.sorted(by: { $0.key < $1.key }) {
      if let ratio = Quantity(json: value), ratio.milli < 1000 {
        invalid("\(field).maxLimitRequestRatio[\(name)]", value, "ratio \(ratio) is less than 1")
      }
    }
  }
}
