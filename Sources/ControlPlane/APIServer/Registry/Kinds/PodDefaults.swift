import JSONDocument
import KubernetesAPI

/// What Kubernetes fills into a pod's spec, also within the template of a workload.
enum PodDefaults {
  static let terminationGracePeriodSeconds = 30

  static func apply(toPodSpec spec: inout JSONValue) {
    spec.setDefault("restartPolicy", "Always")
    spec.setDefault("dnsPolicy", "ClusterFirst")
    spec.setDefault("terminationGracePeriodSeconds", JSONValue(terminationGracePeriodSeconds))
    spec.setDefault("schedulerName", "default-scheduler")
    spec.setDefault("securityContext", [:])
    spec.setDefault("enableServiceLinks", true)
    // The old and the new name of one field; both are kept alike, and the new one counts.
    spec.setDefault("serviceAccountName", spec["serviceAccount"])
    if !spec["serviceAccountName"].isNull { spec["serviceAccount"] = spec["serviceAccountName"] }
    let usesHostNetwork = spec["hostNetwork"].bool == true
    for key in ["initContainers", "containers", "ephemeralContainers"] {
      spec.updateElements(key) { apply(toContainer: &$0, usesHostNetwork: usesHostNetwork) }
    }
    spec.updateElements("volumes", apply(toVolume:))
  }

  private static func apply(toContainer container: inout JSONValue, usesHostNetwork: Bool) {
    container.setDefault("imagePullPolicy", pullsAlways(container["image"].string ?? "") ? "Always" : "IfNotPresent")
    container.setDefault("terminationMessagePath", "/dev/termination-log")
    container.setDefault("terminationMessagePolicy", "File")
    container.setDefault("resources", [:])
    container.updateElements("ports") { port in
      port.setDefault("protocol", "TCP")
      if usesHostNetwork { port.setDefault("hostPort", port["containerPort"]) }
    }
    for (name, limit) in container["resources"]["limits"].members {
      container["resources"]["requests"].setDefault(name, limit)
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
      container.updateMember(probe, apply(toProbe:))
    }
    container.updateMember("lifecycle") { lifecycle in
      for hook in ["postStart", "preStop"] { lifecycle.updateMember(hook, apply(toHandler:)) }
    }
    container.updateElements("env") { variable in
      variable.updateMember("valueFrom") { source in
        source.updateMember("fieldRef") { $0.setDefault("apiVersion", "v1") }
      }
    }
  }

  /// `:latest`, and no tag or digest at all.
  static func pullsAlways(_ image: String) -> Bool {
    if image.contains("@") { return false }
    let name = image.split(separator: "/").last ?? ""
    guard let colon = name.firstIndex(of: ":") else { return true }
    return name[name.index(after: colon)...] == "latest"
  }

  private static func apply(toProbe probe: inout JSONValue) {
    probe.setDefault("timeoutSeconds", 1)
    probe.setDefault("periodSeconds", 10)
    probe.setDefault("successThreshold", 1)
    probe.setDefault("failureThreshold", 3)
    apply(toHandler: &probe)
  }

  private static func apply(toHandler handler: inout JSONValue) {
    handler.updateMember("httpGet") { get in
      get.setDefault("path", "/")
      get.setDefault("scheme", "HTTP")
    }
    handler.updateMember("grpc") { $0.setDefault("service", "") }
  }

  private static func apply(toVolume volume: inout JSONValue) {
    guard case .object(let members) = volume else { return }
    if Set(members.keys).subtracting(["name"]).isEmpty { volume["emptyDir"] = [:] }
    let readableByAll: JSONValue = 0o644
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
      volume.updateMember(source) { $0.setDefault("defaultMode", readableByAll) }
    }
    volume.updateMember("hostPath") { $0.setDefault("type", "") }
    volume.updateMember("projected") { projected in
      projected.updateElements("sources") { source in
        source.updateMember("serviceAccountToken") { $0.setDefault("expirationSeconds", 3600) }
      }
    }
    volume.updateMember("downwardAPI") { source in
      source.updateElements("items") { item in
        item.updateMember("fieldRef") { $0.setDefault("apiVersion", "v1") }
      }
    }
    volume.updateMember("ephemeral") { ephemeral in
      ephemeral.updateMember("volumeClaimTemplate") { template in
        template.updateMember("spec") { $0.setDefault("volumeMode", "Filesystem") }
      }
    }
  }

  /// Guaranteed: every container asks for as much cpu and memory as it may use. BestEffort: none asks for anything.
  static func qualityOfService(of spec: JSONValue) -> String {
    let containers = spec["initContainers"].elements + spec["containers"].elements
    var isGuaranteed = true
    var isBestEffort = true
    for container in containers {
      for name in ["cpu", "memory"] {
        let request = Quantity(json: container["resources"]["requests"][name]).flatMap { $0.milli > 0 ? $0 : nil }
        let limit = Quantity(json: container["resources"]["limits"][name]).flatMap { $0.milli > 0 ? $0 : nil }
        if request != nil || limit != nil { isBestEffort = false }
        if limit == nil || (request ?? limit) != limit { isGuaranteed = false }
      }
    }
    return isBestEffort ? "BestEffort" : isGuaranteed ? "Guaranteed" : "Burstable"
  }
}
