import JSONDocument
import KubernetesAPI

extension ResourceDefinition {
  /// Who leads, and whether a node is alive.
  static let lease = ResourceDefinition(
    .leases, singular: "lease", schema: "io.k8s.api.coordination.v1.Lease",
    columns: [.name, .text("Holder", "Who holds it.", missing: "") { $0.spec["holderIdentity"].string }, .age],
    prepareForCreate: { _ in },
    validate: { lease, _ in
      var faults = FieldFaults()
      if let seconds = lease.spec["leaseDurationSeconds"].int, seconds <= 0 {
        faults.invalid("spec.leaseDurationSeconds", JSONValue(seconds), "must be greater than 0")
      }
      faults.checkNotNegative("spec.leaseTransitions", lease.spec["leaseTransitions"])
      return faults.causes
    })
}
