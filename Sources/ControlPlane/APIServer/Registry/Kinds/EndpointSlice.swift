import JSONDocument
import KubernetesAPI

extension ResourceDefinition {
  /// The addresses behind a service.
  static let endpointSlice = ResourceDefinition(
    .endpointSlices, singular: "endpointslice", schema: "io.k8s.api.discovery.v1.EndpointSlice",
    columns: [
      .name, .text("AddressType", "IPv4, IPv6 or FQDN.") { $0["addressType"].string },
      .text("Ports", "The ports of every endpoint.", missing: "<unset>") { slice in
        brief(slice["ports"].elements.map { $0["port"].int.map(String.init) ?? "*" })
      },
      .text("Endpoints", "The addresses.", missing: "<unset>") { slice in
        brief(slice["endpoints"].elements.flatMap { $0["addresses"].elements.compactMap(\.string) })
      },
      .age,
    ],
    hasGeneration: true,
    applyDefaults: { slice in
      slice.json.updateElements("ports") { port in
        port.setDefault("name", "")
        port.setDefault("protocol", "TCP")
      }
    },
    prepareForCreate: { _ in },
    validate: { slice, old in
      var faults = FieldFaults()
      faults.checkChoice("addressType", slice["addressType"], ["FQDN", "IPv4", "IPv6"])
      for (index, endpoint) in slice["endpoints"].elements.enumerated() where endpoint["addresses"].elements.isEmpty {
        faults.required("endpoints[\(index)].addresses", "must contain at least 1 address")
      }
      if let old { faults.checkImmutable("addressType", new: slice["addressType"], old: old["addressType"]) }
      return faults.causes
    })

  /// The first three, and how many more there are.
  private static func brief(_ values: [String]) -> String {
    values.count <= 3
      ? values.joined(separator: ",") : "\(values[..<3].joined(separator: ",")) + \(values.count - 3) more..."
  }
}
