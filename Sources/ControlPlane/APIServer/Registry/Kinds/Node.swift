import JSONDocument
import KubernetesAPI

extension ResourceDefinition {
  /// A machine that runs pods. Its status comes with it when the node agent registers it.
  static let node = ResourceDefinition(
    .nodes, singular: "node", shortNames: ["no"], schema: "io.k8s.api.core.v1.Node",
    columns: [
      .name,
      .text("Status", "Whether the node takes pods.", missing: "Unknown") { node in
        var words: [String] = []
        switch node.shownCondition("Ready")["status"].string {
        case "True": words.append("Ready")
        case "False", "Unknown": words.append("NotReady")
        default: words.append("Unknown")
        }
        if node.spec["unschedulable"].bool == true { words.append("SchedulingDisabled") }
        return words.joined(separator: ",")
      },
      .text("Roles", "What the node is for, from its labels node-role.kubernetes.io/ROLE.") { node in
        let prefix = "node-role.kubernetes.io/"
        return node.labels.keys.filter { $0.hasPrefix(prefix) && $0 != prefix }
          .map { String($0.dropFirst(prefix.count)) }.sorted().joined(separator: ",")
      },
      .age,
      .text("Version", "The node agent's version.") { $0.status["nodeInfo"]["kubeletVersion"].string },
      .text("Internal-IP", "Address within the cluster.", wide: true) { $0.address("InternalIP") },
      .text("External-IP", "Address from outside.", wide: true) { $0.address("ExternalIP") },
      .text("OS-Image", "The operating system.", wide: true, missing: "<unknown>") {
        $0.status["nodeInfo"]["osImage"].string
      },
      .text("Kernel-Version", "The kernel's release.", wide: true, missing: "<unknown>") {
        $0.status["nodeInfo"]["kernelVersion"].string
      },
      .text("Container-Runtime", "What runs the containers.", wide: true, missing: "<unknown>") {
        $0.status["nodeInfo"]["containerRuntimeVersion"].string
      },
    ],
    selectableFields: [
      SelectableField("spec.unschedulable") { $0.spec["unschedulable"].bool == true ? "true" : "false" }
    ],
    subresources: [.status],
    applyDefaults: { node in
      if node.spec.isNull { node.json["spec"] = [:] }
      // What pods may use is everything there is, unless the node says otherwise.
      if node.status["allocatable"].isNull, !node.status["capacity"].isNull {
        node.status["allocatable"] = node.status["capacity"]
      }
    },
    prepareForCreate: { _ in },
    validate: { node, old in
      var faults = FieldFaults()
      for (index, taint) in node.spec["taints"].elements.enumerated() {
        let field = "spec.taints[\(index)]"
        if !Names.isQualifiedName(taint["key"].string ?? "") {
          faults.invalid("\(field).key", taint["key"], "must be a qualified name")
        }
        if !Names.isLabelValue(taint["value"].string ?? "") {
          faults.invalid("\(field).value", taint["value"], "must be a valid label value")
        }
        if taint["effect"].isNull { faults.required("\(field).effect") }
        faults.checkChoice("\(field).effect", taint["effect"], ["NoSchedule", "PreferNoSchedule", "NoExecute"])
      }
      if let before = old?.spec["providerID"].string, !before.isEmpty, before != node.spec["providerID"].string {
        faults.forbidden("spec.providerID", "may not be changed once it is set")
      }
      faults.checkResourceList("status.capacity", node.status["capacity"])
      faults.checkResourceList("status.allocatable", node.status["allocatable"])
      return faults.causes
    })
}

extension KubernetesObject {
  fileprivate func address(_ type: String) -> String? {
    status["addresses"].elements.first { $0["type"].string == type }?["address"].string
  }
}
