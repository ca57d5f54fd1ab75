import JSONDocument
import KubernetesAPI
import KubernetesClient

/// Which writes in the namespaces of tenants must keep to `PodSecurity`: those of pods and of templates of pods.
///
/// The namespace decides, not who writes: a controller makes pods on somebody's behalf and is judged like them. Only
/// administrators who write a pod themselves are free; a template of theirs is judged too, since its pods would be
/// refused.
public struct PodSecurityAdmission: Sendable {
  /// Names of users within the platform: those of the administrators' group act for others, too.
  private static let componentPrefix = UserInfo.component("").name
  /// Who gives pods their nodes.
  private static let scheduler = UserInfo.part("scheduler").name
  /// What may change of a pod's spec and has no part in what the pod may do.
  private static let harmless = [
    "activeDeadlineSeconds", "nodeName", "schedulingGates", "terminationGracePeriodSeconds", "tolerations",
  ]

  /// Groups whose members administer the cluster.
  public var administratorGroups: Set<String>

  public init(administratorGroups: Set<String> = [UserInfo.mastersGroup]) {
    self.administratorGroups = administratorGroups
  }

  /// Whether writes of a kind are judged at all.
  public static func concerns(_ resource: Resource) -> Bool { templateField(of: resource) != nil }

  /// Where a kind has its pod: empty for pods themselves, `nil` for kinds without one.
  private static func templateField(of resource: Resource) -> String? {
    switch resource {
    case .pods: ""
    case .deployments, .replicaSets: "spec.template"
    default: nil
    }
  }

  /// Judges a write in a tenant's namespace.
  /// - Parameters:
  ///   - old: what is stored; `nil` when it is created.
  ///   - new: what is to be stored; `nil` when it is deleted.
  ///   - level: of the namespace; `nil`: no tenant's, nothing is judged. Asked last: most writes of pods change nothing
  ///     that is judged.
  /// - Returns: the refusal, with a cause for each field; `nil` if nothing speaks against it.
  public func refusal(
    old: KubernetesObject?, new: KubernetesObject?, of resource: Resource, by user: UserInfo,
    level: () -> PodSecurityLevel? = { .baseline }
  ) -> APIStatus? {
    guard let new, let field = Self.templateField(of: resource) else { return nil }
    let isPod = resource == .pods
    let isAdministrator = !administratorGroups.isDisjoint(with: user.groups)
    if isPod, isAdministrator, !user.name.hasPrefix(Self.componentPrefix) { return nil }
    let pod = isPod ? new.json : new.spec["template"]
    let before = old.map { isPod ? $0.json : $0.spec["template"] }
    let causes = faults(
      of: pod, before: before, field: field, isBinder: isPod && (isAdministrator || user.name == Self.scheduler),
      level)
    guard !causes.isEmpty else { return nil }
    let list = causes.map { "\($0.field): \($0.message)" }.joined(separator: "; ")
    var refusal = APIStatus.forbidden(
      resource, new.name, "it asks for more than pods in namespaces of tenants may have: \(list)")
    refusal.causes = causes
    return refusal
  }

  /// What was there before the rules, or is an administrator's, stays; but whoever changes it must keep to the rules.
  private func faults(
    of pod: JSONValue, before: JSONValue?, field: String, isBinder: Bool, _ level: () -> PodSecurityLevel?
  ) -> [APIStatus.Cause] {
    guard let before else { return level().map { PodSecurity.faults(of: pod, field: field, level: $0) } ?? [] }
    let isSame = Self.judged(pod) == Self.judged(before)
    // The scheduler gives a pod its node, and nobody else.
    let mayHaveNode = isBinder || pod["spec"]["nodeName"] == before["spec"]["nodeName"]
    if isSame, mayHaveNode { return [] }
    guard let level = level() else { return [] }
    return PodSecurity.faults(of: pod, field: field, level: level).filter {
      $0.field.hasSuffix("spec.nodeName") ? !(mayHaveNode && field.isEmpty) : !isSame
    }
  }

  /// What of a pod or template the rules look at, but for its node.
  private static func judged(_ pod: JSONValue) -> JSONValue {
    var spec = pod["spec"]
    for key in harmless { spec.remove(key) }
    let annotations = pod["metadata"]["annotations"].members
      .filter { $0.key.hasPrefix(PodSecurity.appArmorAnnotation) }
    return ["spec": spec, "annotations": .object(annotations)]
  }
}
