import JSONDocument
import KubernetesAPI

extension ResourceDefinition {
  /// Containers that run together on one node.
  static let pod = ResourceDefinition(
    .pods, singular: "pod", shortNames: ["po"], categories: ["all"], schema: "io.k8s.api.core.v1.Pod",
    columns: [
      .name,
      .text("Ready", "Ready containers and all containers.") { pod in
        let ready = PodSummary(pod)
        return "\(ready.readyContainers)/\(ready.allContainers)"
      },
      .text("Status", "The phase, or what keeps the pod from its work.") { PodSummary($0).reason },
      .text("Restarts", "How often containers were started again, and when last.") { PodSummary($0).restarts },
      .age,
      .text("IP", "The pod's address.", wide: true) {
        $0.status["podIPs"][0]["ip"].string ?? $0.status["podIP"].string
      },
      .text("Node", "Where it runs.", wide: true) { $0.spec["nodeName"].string },
      .text("Nominated Node", "Where it waits for room.", wide: true) { $0.status["nominatedNodeName"].string },
      .text("Readiness Gates", "Further conditions that are met.", wide: true) { pod in
        let gates = pod.spec["readinessGates"].elements.compactMap { $0["conditionType"].string }
        guard !gates.isEmpty else { return nil }
        return "\(gates.filter { pod.shownCondition($0)["status"].string == "True" }.count)/\(gates.count)"
      },
    ],
    selectableFields: [
      SelectableField("spec.nodeName") { $0.spec["nodeName"].string ?? "" },
      SelectableField("spec.restartPolicy") { $0.spec["restartPolicy"].string ?? "" },
      SelectableField("spec.schedulerName") { $0.spec["schedulerName"].string ?? "" },
      SelectableField("spec.serviceAccountName") { $0.spec["serviceAccountName"].string ?? "" },
      SelectableField("spec.hostNetwork") { $0.spec["hostNetwork"].bool == true ? "true" : "false" },
      SelectableField("status.phase") { $0.status["phase"].string ?? "" },
      SelectableField("status.podIP") { $0.status["podIPs"][0]["ip"].string ?? $0.status["podIP"].string ?? "" },
      SelectableField("status.nominatedNodeName") { $0.status["nominatedNodeName"].string ?? "" },
    ],
    subresources: [.status, .log, .binding, .eviction], hasGeneration: true,
    gracePeriodSeconds: { pod in
      // A pod that no node has, or that is over, has nothing to stop.
      if (pod.spec["nodeName"].string ?? "").isEmpty { return 0 }
      if ["Succeeded", "Failed"].contains(pod.status["phase"].string) { return 0 }
      return pod.spec["terminationGracePeriodSeconds"].int ?? PodDefaults.terminationGracePeriodSeconds
    },
    applyDefaults: { pod in
      pod.json.updateMember("spec") { PodDefaults.apply(toPodSpec: &$0) }
      if pod.status["phase"].isNull { pod.status["phase"] = "Pending" }
    },
    prepareForCreate: { pod in
      pod.json["status"] = ["phase": "Pending", "qosClass": .string(PodDefaults.qualityOfService(of: pod.spec))]
    },
    validate: { pod, old in
      var faults = FieldFaults()
      guard !pod.spec.isNull else {
        faults.required("spec")
        return faults.causes
      }
      faults.checkPodSpec("spec", pod.spec)
      faults.checkAppArmorAnnotations(pod.annotations)
      if let old {
        faults.checkPodUpdate(pod, old)
      } else if !pod.spec["ephemeralContainers"].elements.isEmpty {
        faults.forbidden("spec.ephemeralContainers", "cannot be set on create")
      }
      return faults.causes
    })
}
