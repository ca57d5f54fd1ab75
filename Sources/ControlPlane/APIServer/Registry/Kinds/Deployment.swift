import JSONDocument
import KubernetesAPI

extension ResourceDefinition {
  /// So many pods of a template, changed in a rolling way.
  static let deployment = ResourceDefinition(
    .deployments, singular: "deployment", shortNames: ["deploy"], categories: ["all"],
    schema: "io.k8s.api.apps.v1.Deployment",
    columns: [
      .name,
      .text("Ready", "Ready pods and wanted pods.") {
        "\($0.status["readyReplicas"].int ?? 0)/\($0.spec["replicas"].int ?? 0)"
      },
      .count("Up-to-date", "Pods of the newest template.") { $0.status["updatedReplicas"].int },
      .count("Available", "Pods that have been ready for long enough.") { $0.status["availableReplicas"].int },
      .age,
      .text("Containers", "The template's containers.", wide: true) { $0.templateContainerNames },
      .text("Images", "The template's images.", wide: true) { $0.templateImages },
      .text("Selector", "The labels of its pods.", wide: true) { $0.selectorText },
    ],
    subresources: [.status, .scale], hasGeneration: true,
    applyDefaults: { deployment in
      deployment.spec.setDefault("replicas", 1)
      deployment.spec.setDefault("revisionHistoryLimit", 10)
      deployment.spec.setDefault("progressDeadlineSeconds", 600)
      deployment.spec["strategy"].setDefault("type", "RollingUpdate")
      if deployment.spec["strategy"]["type"].string == "RollingUpdate" {
        deployment.spec["strategy"]["rollingUpdate"].setDefault("maxSurge", "25%")
        deployment.spec["strategy"]["rollingUpdate"].setDefault("maxUnavailable", "25%")
      }
      deployment.spec.updateMember("template") { template in
        template.updateMember("spec") { PodDefaults.apply(toPodSpec: &$0) }
      }
    },
    validate: { deployment, old in
      var faults = FieldFaults()
      let spec = deployment.spec
      faults.checkWorkloadSelector(spec)
      faults.checkStrategy(spec["strategy"])
      if let deadline = spec["progressDeadlineSeconds"].int, deadline <= spec["minReadySeconds"].int ?? 0 {
        faults.invalid("spec.progressDeadlineSeconds", JSONValue(deadline), "must be greater than minReadySeconds")
      }
      faults.checkPodTemplate("spec.template", spec["template"])
      if let old { faults.checkImmutable("spec.selector", new: spec["selector"], old: old.spec["selector"]) }
      return faults.causes
    })
}

extension FieldFaults {
  /// The template of a workload: its labels and its pod, which must restart always.
  mutating func checkPodTemplate(_ field: String, _ template: JSONValue) {
    guard !template["spec"].isNull else { return required("\(field).spec") }
    checkLabels("\(field).metadata.labels", template["metadata"]["labels"])
    checkAnnotations("\(field).metadata.annotations", template["metadata"]["annotations"])
    checkPodSpec("\(field).spec", template["spec"])
    if let policy = template["spec"]["restartPolicy"].string, policy != "Always" {
      notSupported("\(field).spec.restartPolicy", policy, supported: ["Always"])
    }
    if !template["spec"]["ephemeralContainers"].elements.isEmpty {
      forbidden("\(field).spec.ephemeralContainers", "ephemeral containers not allowed in pod template")
    }
    if !template["spec"]["activeDeadlineSeconds"].isNull {
      forbidden("\(field).spec.activeDeadlineSeconds", "activeDeadlineSeconds in ReplicaSet is not Supported")
    }
  }

  fileprivate mutating func checkStrategy(_ strategy: JSONValue) {
    let field = "spec.strategy"
    checkChoice("\(field).type", strategy["type"], ["Recreate", "RollingUpdate"])
    let rolling = strategy["rollingUpdate"]
    if strategy["type"].string == "Recreate", !rolling.isNull {
      forbidden("\(field).rollingUpdate", "may not be specified when strategy `type` is 'Recreate'")
    }
    var zeros = 0
    for key in ["maxSurge", "maxUnavailable"] {
      let value = rolling[key]
      switch value {
      case .integer(0), .string("0%"): zeros += 1
      case .string(let text):
        guard text.hasSuffix("%"), let percent = Int(text.dropLast()), percent >= 0 else {
          invalid(
            "\(field).rollingUpdate.\(key)", value, "must be an integer or percentage (e.g '5%')")
          continue
        }
        if key == "maxUnavailable", percent > 100 {
          invalid("\(field).rollingUpdate.\(key)", value, "must not be greater than 100%")
        }
      default: break
      }
    }
    if zeros == 2 {
      invalid("\(field).rollingUpdate.maxUnavailable", rolling["maxUnavailable"], "may not be 0 when `maxSurge` is 0")
    }
  }
}
