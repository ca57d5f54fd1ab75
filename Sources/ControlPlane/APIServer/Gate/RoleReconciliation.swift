import JSONDocument
import KubernetesAPI

/// Brings a default role or binding that an instance has up to what this version gives it (Kubernetes, "Using RBAC
/// Authorization", auto-reconciliation): what is missing is added, what somebody added stays. Whoever wants to keep a default
/// narrower says so by the annotation.
public enum RoleReconciliation {
  /// `"false"`: the object is left as it is.
  public static let annotation = "rbac.authorization.kubernetes.io/autoupdate"

  /// Whether its users keep the object as it is.
  public static func isKept(_ object: KubernetesObject) -> Bool { object.annotations[annotation] == "false" }

  /// What becomes of an object that is there.
  /// - Returns: `nil` if nothing does.
  public static func reconciled(_ present: KubernetesObject, with wanted: KubernetesObject) -> KubernetesObject? {
    guard !isKept(present) else { return nil }
    var object = present
    if wanted.kind == Resource.clusterRoles.kind || wanted.kind == Resource.roles.kind {
      let held = present["rules"].elements.map(RBACRule.init)
      let missing = wanted["rules"].elements.filter { rule in
        RBACRule(json: rule).atoms.contains { atom in !held.contains { $0.covers(atom: atom) } }
      }
      if !missing.isEmpty { object["rules"] = .array(present["rules"].elements + missing) }
    } else {
      let missing = wanted["subjects"].elements.filter { subject in
        !present["subjects"].elements.contains { isSame($0, subject) }
      }
      if !missing.isEmpty { object["subjects"] = .array(present["subjects"].elements + missing) }
    }
    object.labels.merge(wanted.labels) { own, _ in own }
    object.annotations.merge(wanted.annotations) { own, _ in own }
    return object == present ? nil : object
  }

  private static func isSame(_ one: JSONValue, _ other: JSONValue) -> Bool {
    ["kind", "name", "namespace"].allSatisfy { (one[$0].string ?? "") == (other[$0].string ?? "") }
  }
}
