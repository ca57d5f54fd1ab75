import JSONDocument
import KubernetesAPI

/// Judges the specs of pods by `PodSecurity.rules`. Pure.
///
/// Fields that are not there, and their empty values (null, false, 0, ""), always pass.
public enum PodSecurity {
  /// Fields of a pod's spec and what they may say.
  struct Rule: Sendable {
    enum Allowed: Sendable {
      case unset
      case oneOf([String])
      case notBeginning(String)
      case atMost(Int)
    }
    let why: String
    /// Below the spec. `[*]` stands for every element of a list, `<containers>` for every container of every kind.
    let paths: [String]
    let allowed: Allowed

    init(_ why: String, _ paths: [String], _ allowed: Allowed) {
      self.why = why
      self.paths = paths.flatMap { path in
        guard path.hasPrefix("<containers>") else { return [path] }
        let rest = path.dropFirst("<containers>".count)
        return ["initContainers", "containers", "ephemeralContainers"].map { "\($0)[*]\(rest)" }
      }
      self.allowed = allowed
    }
  }

  /// Everything that the rules forbid in a pod or in the template of pods.
  /// - Parameters:
  ///   - pod: with `metadata` (its annotations count) and `spec`.
  ///   - field: what the pod is called in the causes: empty, or the path of a template (`spec.template`).
  ///   - level: how much is forbidden.
  public static func faults(of pod: JSONValue, field: String = "", level: PodSecurityLevel = .baseline)
    -> [APIStatus.Cause]
  {
    let prefix = field.isEmpty ? "" : "\(field)."
    var causes: [APIStatus.Cause] = level == .restricted ? restrictedFaults(of: pod["spec"], at: "\(prefix)spec") : []
    for rule in rules {
      for path in rule.paths {
        for (place, value) in values(path.split(separator: "."), in: pod["spec"], at: "\(prefix)spec") {
          guard let must = rule.allowed.fault(of: value) else { continue }
          causes.append(.init(.forbidden, field: place, message: "Forbidden: \(must): \(rule.why)"))
        }
      }
    }
    for (key, value) in pod["metadata"]["annotations"].strings.sorted(by: { $0.key < $1.key })
    where key.hasPrefix(appArmorAnnotation) {
      if value.isEmpty || value == "runtime/default" || value.hasPrefix("localhost/") { continue }
      causes.append(
        .init(
          .forbidden, field: "\(prefix)metadata.annotations[\(key)]",
          message:
            "Forbidden: \"\(value.prefix(100))\" is not allowed, only runtime/default and localhost/*: the node's AppArmor profile must hold"
        ))
    }
    return causes
  }

  /// The values at a path, each with where it is.
  private static func values(_ path: [Substring], in value: JSONValue, at place: String) -> [(String, JSONValue)] {
    guard let first = path.first else { return [(place, value)] }
    let rest = Array(path.dropFirst())
    guard first.hasSuffix("[*]") else {
      let member = value[String(first)]
      return member.isNull ? [] : values(rest, in: member, at: "\(place).\(first)")
    }
    let name = first.dropLast(3)
    return value[String(name)].elements.enumerated().flatMap { index, element in
      values(rest, in: element, at: "\(place).\(name)[\(index)]")
    }
  }
}

extension PodSecurity.Rule.Allowed {
  /// - Returns: what the value must be; `nil` if it is.
  fileprivate func fault(of value: JSONValue) -> String? {
    let empty: [JSONValue] = [nil, false, 0, 0.0, ""]
    if empty.contains(value) { return nil }
    switch self {
    case .unset: return "must be left out"
    case .oneOf(let choices):
      if let text = value.string, choices.contains(text) { return nil }
      let shown = value.string ?? String(decoding: value.encoded(), as: UTF8.self)
      return "\"\(shown.prefix(100))\" is not allowed, only \(choices.joined(separator: ", "))"
    case .notBeginning(let prefix):
      if let text = value.string, !text.hasPrefix(prefix) { return nil }
      return "must not begin with \(prefix)"
    case .atMost(let most):
      if let number = value.int, number <= most { return nil }
      return "must be at most \(most)"
    }
  }
}
