import JSONDocument
import KubernetesAPI

extension FieldFaults {
  /// - Parameter graceSeconds: the pod's `terminationGracePeriodSeconds`: no hook sleeps longer.
  mutating func checkContainer(
    _ field: String, _ container: JSONValue, volumes: [String: JSONValue], graceSeconds: Int
  ) {
    checkDNSLabel("\(field).name", container["name"])
    let image = container["image"].string ?? ""
    if image.isEmpty {
      required("\(field).image")
    } else if image.first?.isWhitespace == true || image.last?.isWhitespace == true {
      invalid("\(field).image", .string(image), "must not have leading or trailing whitespace")
    }
    checkChoice("\(field).imagePullPolicy", container["imagePullPolicy"], ["Always", "IfNotPresent", "Never"])
    checkChoice(
      "\(field).terminationMessagePolicy", container["terminationMessagePolicy"], ["FallbackToLogsOnError", "File"])
    checkPorts("\(field).ports", container["ports"].elements)
    checkEnvironment("\(field).env", container["env"])
    checkResources("\(field).resources", container["resources"])
    var paths: Set<String> = []
    for (index, mount) in container["volumeMounts"].elements.enumerated() {
      let place = "\(field).volumeMounts[\(index)]"
      let name = mount["name"].string ?? ""
      if name.isEmpty { required("\(place).name") } else if volumes[name] == nil { notFound("\(place).name", name) }
      let path = mount["mountPath"].string ?? ""
      if path.isEmpty {
        required("\(place).mountPath")
      } else if !paths.insert(path).inserted {
        invalid("\(place).mountPath", .string(path), "must be unique")
      }
      for key in ["subPath", "subPathExpr"] {
        if let sub = mount[key].string, !sub.isEmpty { checkRelativePath("\(place).\(key)", .string(sub)) }
      }
      if !(mount["subPath"].string ?? "").isEmpty, !(mount["subPathExpr"].string ?? "").isEmpty {
        invalid("\(place).subPathExpr", mount["subPathExpr"], "subPathExpr and subPath are mutually exclusive")
      }
      // Such a mount reaches the node and all other containers of the volume.
      if mount["mountPropagation"].string == "Bidirectional", container["securityContext"]["privileged"].bool != true {
        forbidden(
          "\(place).mountPropagation",
          "Bidirectional mount propagation is available only to privileged containers")
      }
    }
    checkDevices(field, container, volumes: volumes, mountPaths: paths)
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] where !container[probe].isNull {
      checkProbe("\(field).\(probe)", container[probe], succeedsOnce: probe != "readinessProbe")
    }
    for hook in ["postStart", "preStop"] where !container["lifecycle"][hook].isNull {
      checkHandler(
        "\(field).lifecycle.\(hook)", container["lifecycle"][hook], ["exec", "httpGet", "sleep", "tcpSocket"])
      if let seconds = container["lifecycle"][hook]["sleep"]["seconds"].int, seconds > graceSeconds {
        invalid(
          "\(field).lifecycle.\(hook).sleep", JSONValue(seconds),
          "must be non-negative and less than terminationGracePeriodSeconds (\(graceSeconds))")
      }
    }
  }

  /// Raw devices are those of claims: the path of any other volume would be a device of the node.
  private mutating func checkDevices(
    _ field: String, _ container: JSONValue, volumes: [String: JSONValue], mountPaths: Set<String>
  ) {
    let mounted = Set(container["volumeMounts"].elements.compactMap(\.["name"].string))
    var names: Set<String> = []
    var paths = mountPaths
    for (index, device) in container["volumeDevices"].elements.enumerated() {
      let place = "\(field).volumeDevices[\(index)]"
      let name = device["name"].string ?? ""
      if name.isEmpty {
        required("\(place).name")
      } else if let volume = volumes[name] {
        if volume["persistentVolumeClaim"].isNull, volume["ephemeral"].isNull {
          invalid(
            "\(place).name", .string(name),
            "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode")
        }
        if !names.insert(name).inserted { invalid("\(place).name", .string(name), "must be unique") }
        if mounted.contains(name) {
          invalid("\(place).name", .string(name), "must not already exist in volumeMounts")
        }
      } else {
        notFound("\(place).name", name)
      }
      let path = device["devicePath"].string ?? ""
      if path.isEmpty {
        required("\(place).devicePath")
      } else if path.leadsUpwards {
        invalid("\(place).devicePath", .string(path), "must not contain '..'")
      } else if !paths.insert(path).inserted {
        invalid("\(place).devicePath", .string(path), "must be unique, also among volumeMounts")
      }
    }
  }

  private mutating func checkPorts(_ field: String, _ ports: [JSONValue]) {
    var names: Set<String> = []
    for (index, port) in ports.enumerated() {
      let place = "\(field)[\(index)]"
      checkChoice("\(place).protocol", port["protocol"], ["SCTP", "TCP", "UDP"])
      guard let name = port["name"].string, !name.isEmpty else { continue }
      if !PortNames.isValid(name) {
        invalid("\(place).name", .string(name), PortNames.rule)
      } else if !names.insert(name).inserted {
        duplicate("\(place).name", .string(name))
      }
    }
  }

  mutating func checkEnvironment(_ field: String, _ variables: JSONValue) {
    for (index, variable) in variables.elements.enumerated() {
      let place = "\(field)[\(index)]"
      guard let name = variable["name"].string, !name.isEmpty else {
        required("\(place).name")
        continue
      }
      if !name.utf8.allSatisfy({ (0x20...0x7E).contains($0) && $0 != UInt8(ascii: "=") }) {
        invalid("\(place).name", .string(name), "must consist only of printable ASCII characters other than '='")
      }
      let source = variable["valueFrom"]
      guard !source.isNull else { continue }
      if !(variable["value"].string ?? "").isEmpty {
        invalid("\(place).valueFrom", "", "may not be specified when `value` is not empty")
      }
      let kinds = source.members.keys.sorted()
      if kinds.isEmpty {
        invalid(
          "\(place).valueFrom", "",
          "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`")
      }
      if kinds.count > 1 { invalid("\(place).valueFrom", "", "may not have more than one field specified at a time") }
      for kind in ["configMapKeyRef", "secretKeyRef"] where !source[kind].isNull {
        let key = source[kind]["key"].string ?? ""
        if key.isEmpty {
          required("\(place).valueFrom.\(kind).key")
        } else if !ConfigKeys.isValid(key) {
          invalid("\(place).valueFrom.\(kind).key", .string(key), ConfigKeys.rule)
        }
      }
    }
  }

  mutating func checkResources(_ field: String, _ resources: JSONValue) {
    checkResourceList("\(field).limits", resources["limits"])
    checkResourceList("\(field).requests", resources["requests"])
    for (name, value) in resources["requests"].members.sorted(by: { $0.key < $1.key }) {
      guard let request = Quantity(json: value), let limit = Quantity(json: resources["limits"][name]),
        request > limit
      else { continue }
      invalid(
        "\(field).requests", .string(request.description), "must be less than or equal to \(name) limit of \(limit)")
    }
  }

  private mutating func checkProbe(_ field: String, _ probe: JSONValue, succeedsOnce: Bool) {
    checkHandler(field, probe, ["exec", "grpc", "httpGet", "tcpSocket"])
    if !succeedsOnce, !probe["terminationGracePeriodSeconds"].isNull {
      invalid(
        "\(field).terminationGracePeriodSeconds", probe["terminationGracePeriodSeconds"],
        "must not be set for readinessProbes")
    }
    if succeedsOnce, let threshold = probe["successThreshold"].int, threshold != 1 {
      invalid("\(field).successThreshold", JSONValue(threshold), "must be 1")
    }
  }

  private mutating func checkHandler(_ field: String, _ handler: JSONValue, _ kinds: [String]) {
    let chosen = kinds.filter { !handler[$0].isNull }
    if chosen.isEmpty { required(field, "must specify a handler type") }
    for extra in chosen.dropFirst() { forbidden("\(field).\(extra)", "may not specify more than 1 handler type") }
    if !handler["exec"].isNull, handler["exec"]["command"].elements.isEmpty { required("\(field).exec.command") }
    for kind in ["httpGet", "tcpSocket", "grpc"] where !handler[kind].isNull {
      switch handler[kind]["port"] {
      case .string(let name) where kind != "grpc":
        if !PortNames.isValid(name) { invalid("\(field).\(kind).port", .string(name), PortNames.rule) }
      case let port: checkPort("\(field).\(kind).port", port)
      }
    }
    checkChoice("\(field).httpGet.scheme", handler["httpGet"]["scheme"], ["HTTP", "HTTPS"])
  }
}
