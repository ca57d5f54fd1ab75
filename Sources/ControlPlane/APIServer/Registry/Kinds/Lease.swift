import JSONDocument
import KubernetesAPI

extension ResourceDefinition {
  /// Who leads, and whether a node is alive.
  static let lease = ResourceDefinition(
    .leases, singular: "lease", schema: "io.k8s.api.coordination.v1.Lease",
    columns: [.name, .text("Holder", "Who holds it.", missing: "") { $0.spec["holderIdentity"].string }, .age],
    prepareForCreate: { _ in })
}
