import JSONDocument
import KubernetesAPI

extension FieldFaults {
  /// A pod's spec, its own or that of a template.
  mutating func checkPodSpec(_ field: String, _ spec: JSONValue) {
    let volumes = checkVolumes("\(field).volumes", spec["volumes"].elements)
    if spec["containers"].elements.isEmpty { required("\(field).containers") }
    var names: Set<String> = []
    let grace = spec["terminationGracePeriodSeconds"].int ?? PodDefaults.terminationGracePeriodSeconds
    for key in ["initContainers", "containers", "ephemeralContainers"] {
      var ports: Set<String> = []
      for (index, container) in spec[key].elements.enumerated() {
        let place = "\(field).\(key)[\(index)]"
        if let name = container["name"].string, !name.isEmpty, !names.insert(name).inserted {
          duplicate("\(place).name", .string(name))
        }
        checkContainer(place, container, volumes: volumes, graceSeconds: grace)
        checkSecurityProfiles("\(place).securityContext", container["securityContext"])
        for (index, port) in container["ports"].elements.enumerated() {
          guard let host = port["hostPort"].int, host > 0 else { continue }
          let use = "\(port["hostIP"].string ?? "")/\(host)/\(port["protocol"].string ?? "TCP")"
          if !ports.insert(use).inserted { duplicate("\(place).ports[\(index)].hostPort", port["hostPort"]) }
        }
      }
    }
    checkChoice("\(field).restartPolicy", spec["restartPolicy"], ["Always", "Never", "OnFailure"])
    checkChoice(
      "\(field).dnsPolicy", spec["dnsPolicy"], ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"])
    for key in ["nodeName", "serviceAccountName", "hostname", "subdomain"] {
      guard let name = spec[key].string, !name.isEmpty else { continue }
      let isLabel = key == "hostname" || key == "subdomain"
      if isLabel ? !Names.isDNSLabel(name) : !Names.isDNSSubdomain(name) {
        invalid("\(field).\(key)", .string(name), isLabel ? Self.dnsLabelRule : Self.dnsSubdomainRule)
      }
    }
    checkSecurityProfiles("\(field).securityContext", spec["securityContext"])
    checkLabels("\(field).nodeSelector", spec["nodeSelector"])
    checkTolerations("\(field).tolerations", spec["tolerations"].elements)
    checkTopologySpread("\(field).topologySpreadConstraints", spec["topologySpreadConstraints"].elements)
  }

  /// - Returns: the volumes by name.
  private mutating func checkVolumes(_ field: String, _ volumes: [JSONValue]) -> [String: JSONValue] {
    var byName: [String: JSONValue] = [:]
    for (index, volume) in volumes.enumerated() {
      let place = "\(field)[\(index)]"
      checkDNSLabel("\(place).name", volume["name"])
      if let name = volume["name"].string, byName.updateValue(volume, forKey: name) != nil {
        duplicate("\(place).name", .string(name))
      }
      let sources = volume.members.keys.filter { $0 != "name" }.sorted()
      for extra in sources.dropFirst() { forbidden("\(place).\(extra)", "may not specify more than 1 volume type") }
      checkVolumeSource(place, volume)
    }
    return byName
  }

  private mutating func checkVolumeSource(_ field: String, _ volume: JSONValue) {
    for (source, key) in [
      ("secret", "secretName"), ("configMap", "name"), ("persistentVolumeClaim", "claimName"), ("hostPath", "path"),
      ("csi", "driver"),
    ] where !volume[source].isNull && (volume[source][key].string ?? "").isEmpty {
      required("\(field).\(source).\(key)")
    }
    if let path = volume["hostPath"]["path"].string, path.leadsUpwards {
      invalid("\(field).hostPath.path", .string(path), "must not contain '..'")
    }
    let projected = volume["projected"]["sources"].elements.enumerated().map {
      ("\(field).projected.sources[\($0.offset)]", $0.element)
    }
    for (place, source) in [(field, volume)] + projected {
      if case .object = source["serviceAccountToken"] {
        checkRelativePath("\(place).serviceAccountToken.path", source["serviceAccountToken"]["path"])
      }
      for kind in ["secret", "configMap", "downwardAPI"] {
        for (index, item) in source[kind]["items"].elements.enumerated() {
          checkRelativePath("\(place).\(kind).items[\(index)].path", item["path"])
        }
      }
    }
    if let limit = Quantity(json: volume["emptyDir"]["sizeLimit"]), limit.milli < 0 {
      invalid("\(field).emptyDir.sizeLimit", volume["emptyDir"]["sizeLimit"], "must be greater than or equal to 0")
    }
    let claim = volume["ephemeral"]["volumeClaimTemplate"]
    if !volume["ephemeral"].isNull {
      if claim.isNull {
        required("\(field).ephemeral.volumeClaimTemplate")
      } else {
        checkClaimSpec("\(field).ephemeral.volumeClaimTemplate.spec", claim["spec"])
      }
    }
  }

  mutating func checkRelativePath(_ field: String, _ value: JSONValue) {
    guard let path = value.string, !path.isEmpty else { return required(field) }
    if path.isAbsolutePath { invalid(field, value, "must be a relative path") }
    if path.leadsUpwards { invalid(field, value, "must not contain '..'") }
  }

  private mutating func checkTolerations(_ field: String, _ tolerations: [JSONValue]) {
    for (index, toleration) in tolerations.enumerated() {
      let place = "\(field)[\(index)]"
      let key = toleration["key"].string ?? ""
      let comparison = toleration["operator"].string ?? ""
      if !key.isEmpty, !Names.isQualifiedName(key) {
        invalid("\(place).key", .string(key), "must be a qualified name")
      }
      if key.isEmpty, comparison != "Exists" {
        invalid(
          "\(place).operator", .string(comparison),
          "operator must be Exists when `key` is empty, which means \"match all values and all keys\"")
      }
      if !comparison.isEmpty { checkChoice("\(place).operator", .string(comparison), ["Equal", "Exists", "Gt", "Lt"]) }
      if comparison == "Exists", !(toleration["value"].string ?? "").isEmpty {
        invalid("\(place).operator", toleration["value"], "value must be empty when `operator` is 'Exists'")
      }
      if let effect = toleration["effect"].string, !effect.isEmpty {
        checkChoice("\(place).effect", .string(effect), ["NoExecute", "NoSchedule", "PreferNoSchedule"])
      }
      if !toleration["tolerationSeconds"].isNull, toleration["effect"].string != "NoExecute" {
        invalid("\(place).effect", toleration["effect"], "effect must be 'NoExecute' when `tolerationSeconds` is set")
      }
    }
  }

  private mutating func checkTopologySpread(_ field: String, _ constraints: [JSONValue]) {
    for (index, constraint) in constraints.enumerated() {
      let place = "\(field)[\(index)]"
      if (constraint["topologyKey"].string ?? "").isEmpty { required("\(place).topologyKey", "can not be empty") }
      checkChoice("\(place).whenUnsatisfiable", constraint["whenUnsatisfiable"], ["DoNotSchedule", "ScheduleAnyway"])
    }
  }

  /// What may change of a pod once it exists: images, activeDeadlineSeconds, further tolerations, a shorter grace
  /// period of a pod that was forced (-1 → 1), gates being lifted. Ephemeral containers have a door of their own in
  /// Kubernetes, which this server does not have.
  mutating func checkPodUpdate(_ pod: KubernetesObject, _ old: KubernetesObject) {
    func frozen(_ spec: JSONValue) -> JSONValue {
      var spec = spec
      for key in ["containers", "initContainers"] { spec.updateElements(key) { $0.remove("image") } }
      for key in ["activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds"] { spec.remove(key) }
      // The scheduler's binding gives an unbound pod its node, and gates only ever go.
      if (old.spec["nodeName"].string ?? "").isEmpty { spec.remove("nodeName") }
      if spec["schedulingGates"].elements.count <= old.spec["schedulingGates"].elements.count {
        spec.remove("schedulingGates")
      }
      return spec
    }
    if frozen(pod.spec) != frozen(old.spec) {
      forbidden(
        "spec",
        "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
      )
    }
    let tolerations = Set(pod.spec["tolerations"].elements)
    if !old.spec["tolerations"].elements.allSatisfy(tolerations.contains) {
      forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")
    }
    let (grace, before) = (pod.spec["terminationGracePeriodSeconds"], old.spec["terminationGracePeriodSeconds"])
    if grace != before, !(grace.int == 1 && (before.int ?? 0) < 0) {
      forbidden("spec.terminationGracePeriodSeconds", "may not be changed")
    }
  }
}
