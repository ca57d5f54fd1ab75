import JSONDocument
import KubernetesAPI

extension ResourceDefinition {
  /// So many pods of one template: a revision of a deployment.
  static let replicaSet = ResourceDefinition(
    .replicaSets, singular: "replicaset", shortNames: ["rs"], categories: ["all"],
    schema: "io.k8s.api.apps.v1.ReplicaSet",
    columns: [
      .name,
      .count("Desired", "Wanted pods.") { $0.spec["replicas"].int },
      .count("Current", "Pods there are.") { $0.status["replicas"].int },
      .count("Ready", "Ready pods.") { $0.status["readyReplicas"].int },
      .age,
      .text("Containers", "The template's containers.", wide: true) { $0.templateContainerNames },
      .text("Images", "The template's images.", wide: true) { $0.templateImages },
      .text("Selector", "The labels of its pods.", wide: true) { $0.selectorText },
    ],
    selectableFields: [SelectableField("status.replicas") { String($0.status["replicas"].int ?? 0) }],
    subresources: [.status, .scale], hasGeneration: true,
    applyDefaults: { replicaSet in
      replicaSet.spec.setDefault("replicas", 1)
      replicaSet.spec.updateMember("template") { template in
        template.updateMember("spec") { PodDefaults.apply(toPodSpec: &$0) }
      }
      if replicaSet.status["replicas"].isNull { replicaSet.status["replicas"] = 0 }
    },
    prepareForCreate: { $0.json["status"] = ["replicas": 0] },
    validate: { replicaSet, old in
      var faults = FieldFaults()
      faults.checkWorkloadSelector(replicaSet.spec)
      faults.checkPodTemplate("spec.template", replicaSet.spec["template"])
      if let old { faults.checkImmutable("spec.selector", new: replicaSet.spec["selector"], old: old.spec["selector"]) }
      return faults.causes
    })
}
