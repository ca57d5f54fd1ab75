import JSONDocument
import KubernetesAPI

extension ResourceDefinition {
  /// A name for the ready pods that a selector finds.
  ///
  /// Nagaya has no virtual service addresses (there is no kube-proxy): clients reach pods by their endpoint slices, as
  /// the edge does. So a ClusterIP service without an address gets `clusterIP: None`, which says so truthfully.
  static let service = ResourceDefinition(
    .services, singular: "service", shortNames: ["svc"], categories: ["all"], schema: "io.k8s.api.core.v1.Service",
    nameRule: .dnsLabel,
    columns: [
      .name,
      .text("Type", "How it is reached.") { $0.spec["type"].string },
      .text("Cluster-IP", "Its address in the cluster; None: ask its endpoint slices.") { $0.spec["clusterIP"].string },
      .text("External-IP", "Its address from outside.") { service in
        if service.spec["type"].string == "ExternalName" { return service.spec["externalName"].string }
        let ingress = service.status["loadBalancer"]["ingress"].elements.compactMap {
          $0["ip"].string ?? $0["hostname"].string
        }
        let addresses = ingress + service.spec["externalIPs"].elements.compactMap(\.string)
        if addresses.isEmpty, service.spec["type"].string == "LoadBalancer" { return "<pending>" }
        return addresses.joined(separator: ",")
      },
      .text("Port(s)", "Its ports.") { service in
        service.spec["ports"].elements.map { port in
          let node = port["nodePort"].int.map { $0 > 0 ? ":\($0)" : "" } ?? ""
          return "\(port["port"].int ?? 0)\(node)/\(port["protocol"].string ?? "TCP")"
        }.joined(separator: ",")
      },
      .age,
      .text("Selector", "The labels of its pods.", wide: true) {
        LabelSelector(matchLabels: $0.spec["selector"].strings).text
      },
    ],
    selectableFields: [
      SelectableField("spec.clusterIP") { $0.spec["clusterIP"].string ?? "" },
      SelectableField("spec.type") { $0.spec["type"].string ?? "" },
    ],
    subresources: [.status],
    applyDefaults: { service in
      service.spec.setDefault("type", "ClusterIP")
      service.spec.setDefault("sessionAffinity", "None")
      if service.spec["type"].string != "ExternalName" {
        service.spec.setDefault("clusterIP", "None")
        service.spec.setDefault("clusterIPs", [service.spec["clusterIP"]])
        service.spec.setDefault("ipFamilies", ["IPv4"])
        service.spec.setDefault("ipFamilyPolicy", "SingleStack")
        service.spec.setDefault("internalTrafficPolicy", "Cluster")
      }
      service.spec.updateElements("ports") { port in
        port.setDefault("protocol", "TCP")
        // 0 and "" are what a client writes that has no null.
        if port["targetPort"] == 0 || port["targetPort"] == "" { port.remove("targetPort") }
        port.setDefault("targetPort", port["port"])
      }
      if service.status.isNull { service.json["status"] = ["loadBalancer": [:]] }
    },
    prepareForCreate: { $0.json["status"] = ["loadBalancer": [:]] },
    validate: { service, old in
      var faults = FieldFaults()
      let type = service.spec["type"].string ?? ""
      faults.checkChoice("spec.type", service.spec["type"], ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"])
      faults.checkChoice("spec.sessionAffinity", service.spec["sessionAffinity"], ["ClientIP", "None"])
      if type == "ExternalName" { faults.checkDNSSubdomain("spec.externalName", service.spec["externalName"]) }
      let ports = service.spec["ports"].elements
      if ports.isEmpty, type != "ExternalName", service.spec["clusterIP"].string != "None" {
        faults.required("spec.ports")
      }
      faults.checkServicePorts(ports)
      faults.checkLabels("spec.selector", service.spec["selector"])
      if let before = old?.spec["clusterIP"].string, old?.spec["type"].string == type, before != "",
        before != service.spec["clusterIP"].string
      {
        faults.invalid("spec.clusterIPs[0]", service.spec["clusterIP"], "may not change once set")
      }
      return faults.causes
    })
}

extension FieldFaults {
  fileprivate mutating func checkServicePorts(_ ports: [JSONValue]) {
    var names: Set<String> = []
    var numbers: Set<String> = []
    for (index, port) in ports.enumerated() {
      let field = "spec.ports[\(index)]"
      checkPort("\(field).port", port["port"])
      checkChoice("\(field).protocol", port["protocol"], ["SCTP", "TCP", "UDP"])
      switch port["targetPort"] {
      case .integer: checkPort("\(field).targetPort", port["targetPort"])
      case .string(let name) where !PortNames.isValid(name):
        invalid("\(field).targetPort", port["targetPort"], PortNames.rule)
      default: break
      }
      let name = port["name"].string ?? ""
      if name.isEmpty {
        if ports.count > 1 { required("\(field).name") }
      } else if !Names.isDNSLabel(name) {
        invalid("\(field).name", .string(name), Self.dnsLabelRule)
      } else if !names.insert(name).inserted {
        duplicate("\(field).name", .string(name))
      }
      if let number = port["port"].int, !numbers.insert("\(number)/\(port["protocol"].string ?? "TCP")").inserted {
        duplicate(field, port)
      }
    }
  }
}

/// Names of container ports (`IANA_SVC_NAME`, RFC 6335).
enum PortNames {
  static let rule =
    "must have at most 15 characters: lower case letters, digits and single '-' between them, with at least one letter"

  static func isValid(_ name: String) -> Bool {
    (1...15).contains(name.utf8.count) && Names.isDNSLabel(name) && !name.contains("--")
      && name.utf8.contains { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
  }
}
