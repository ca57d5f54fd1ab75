import JSONDocument
import KubernetesAPI
import Testing

@testable import APIServer

/// Our own kinds as definitions that an apiextensions-apiserver takes.
@Suite struct CustomResourcesTests {
  static let definitions = CustomResources()

  @Test func `every kind of ours has a definition, and no other has`() {
    let plurals = Set(Self.definitions.kinds.map(\.plural))
    for plural in ["applications", "tenants", "volumepools", "nodepolicies"] {
      #expect(plurals.contains(plural), "\(plural)")
    }
    #expect(!plurals.contains("pods") && !plurals.contains("leases"))
  }

  @Test(arguments: definitions.kinds.map(\.qualifiedPlural))
  func `a definition is structural, and names the kind as we serve it`(_ name: String) throws {
    let resource = try #require(Self.definitions.kinds.first { $0.qualifiedPlural == name })
    let definition = try #require(Self.definitions.definition(of: resource))
    #expect(definition.name == name && definition.spec["group"].string == resource.group)
    #expect(definition.spec["names"]["kind"].string == resource.kind)
    let version = definition.spec["versions"][0]
    #expect(version["name"].string == resource.version && version["served"] == true && version["storage"] == true)
    let schema = version["schema"]["openAPIV3Schema"]
    #expect(schema["type"] == "object" && schema["properties"]["metadata"] == ["type": "object"])
    #expect(Self.faults(schema, "") == [])
    for column in version["additionalPrinterColumns"].elements {
      #expect(["string", "integer", "date", "boolean"].contains(column["type"].string ?? ""))
      #expect(column["jsonPath"].string?.hasPrefix(".") == true)
    }
  }

  /// What an API server would refuse (Kubernetes, "Specifying a structural schema").
  private static func faults(_ schema: JSONValue, _ path: String) -> [String] {
    var faults: [String] = []
    let members = schema.members
    let isFree = members["x-kubernetes-preserve-unknown-fields"] == true
    let isEither = members["x-kubernetes-int-or-string"] == true
    if members["type"] == nil, !isFree, !isEither { faults.append("\(path): no type") }
    if members["$ref"] != nil { faults.append("\(path): a reference") }
    if members.keys.contains(where: { $0.hasPrefix("x-kubernetes-patch") }) { faults.append("\(path): patch strategy") }
    // Bounds are checked against the format as fractions of 64 bits.
    let most = members["format"] == "int32" ? Int(Int32.max) : 1 << 53
    for bound in [members["minimum"], members["maximum"]].compactMap({ $0?.int }) where bound < -most || bound > most {
      faults.append("\(path): the bound \(bound) is beyond the format")
    }
    if members["properties"] != nil, members["additionalProperties"] != nil { faults.append("\(path): both") }
    switch schema["x-kubernetes-list-type"].string {
    case "map":
      let required = schema["items"]["required"].elements.compactMap(\.string)
      for key in schema["x-kubernetes-list-map-keys"].elements.compactMap(\.string) where !required.contains(key) {
        faults.append("\(path): the key \(key) is not required")
      }
      if schema["items"]["type"] != "object" { faults.append("\(path): a map of what are no objects") }
    case "set":
      if ["object", "array"].contains(schema["items"]["type"].string ?? "") {
        faults.append("\(path): a set of objects")
      }
    default: break
    }
    if members["type"] == "array", members["items"] == nil { faults.append("\(path): no items") }
    for (name, property) in schema["properties"].members { faults += Self.faults(property, "\(path).\(name)") }
    if let items = members["items"] { faults += Self.faults(items, "\(path)[]") }
    if let values = members["additionalProperties"] { faults += Self.faults(values, "\(path){}") }
    return faults
  }

  @Test func `ranges and choices of the declaration are in the definition`() throws {
    let text = try #require(Self.definitions.definition(of: .applications)).json.encoded()
    let words = String(decoding: text, as: UTF8.self)
    #expect(words.contains("\"minimum\"") && words.contains("\"maximum\"") && words.contains("\"enum\""))
  }
}
