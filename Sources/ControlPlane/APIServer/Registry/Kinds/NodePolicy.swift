import JSONDocument
import KubernetesAPI

extension ResourceDefinition {
  /// What containers of some pods get on nodes.
  static let nodePolicy = ResourceDefinition(
    .nodePolicies, singular: "nodepolicy", shortNames: ["nodepol"], categories: ["nagaya"],
    schema: "dev.nagaya.v1alpha1.NodePolicy",
    columns: [
      .name,
      .count("Order", "Lower ones first.") { $0.spec["order"].int ?? NodePolicy.standardOrder },
      .text("Mode", "Whether it changes something, or says what it would.") { $0.spec["mode"].string ?? "Enforce" },
      .text("Tenants", "Whose containers; all, if empty.", missing: "") {
        $0.spec["match"]["tenants"].elements.compactMap(\.string).joined(separator: ",")
      },
      .text("OnError", "What becomes of a container that asks for something wrong.", missing: "") {
        $0.spec["onError"].string
      },
      .age,
    ],
    hasGeneration: true,
    validate: { policy, _ in
      var faults = FieldFaults()
      // The same reading as on nodes: what is taken here is understood there.
      do throws(NodePolicy.Faults) { _ = try NodePolicy(policy) } catch {
        for fault in error.faults { faults.invalid(fault.field, fault.value, fault.reason) }
      }
      return faults.causes
    })
}
