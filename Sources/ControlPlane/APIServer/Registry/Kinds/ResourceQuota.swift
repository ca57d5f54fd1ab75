import JSONDocument
import KubernetesAPI

extension ResourceDefinition {
  /// How much a namespace may use.
  static let resourceQuota = ResourceDefinition(
    .resourceQuotas, singular: "resourcequota", shortNames: ["quota"], schema: "io.k8s.api.core.v1.ResourceQuota",
    columns: [
      .name,
      .text("Request", "Used and allowed, of everything but limits.", missing: "") {
        $0.quotaUse { !$0.hasPrefix("limits.") }
      },
      .text("Limit", "Used and allowed, of limits.", missing: "") { $0.quotaUse { $0.hasPrefix("limits.") } },
      .age,
    ],
    subresources: [.status],
    validate: { quota, old in
      var faults = FieldFaults()
      faults.checkResourceList("spec.hard", quota.spec["hard"])
      if let old { faults.checkImmutable("spec.scopes", new: quota.spec["scopes"], old: old.spec["scopes"]) }
      return faults.causes
    })
}

extension KubernetesObject {
  fileprivate func quotaUse(_ wanted: (String) -> Bool) -> String {
    status["hard"].members.filter { wanted($0.key) }.sorted { $0.key < $1.key }.map { name, hard in
      let used = status["used"][name].string ?? status["used"][name].int.map(String.init) ?? "0"
      return "\(name): \(used)/\(hard.string ?? hard.int.map(String.init) ?? "")"
    }.joined(separator: ", ")
  }
}
