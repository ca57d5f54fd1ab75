import JSONDocument
import Testing

@testable import KubernetesAPI

@Suite("Schemas")
struct SchemaTests {
  @Test("are read from their tables without a line left over")
  func tablesAreReadable() {
    #expect(SchemaCatalog.read(SchemaTable.standard).faults == [])
  }

  @Test("name a line that cannot be read")
  func faultsAreNamed() {
    let table = SchemaTable("x.v1", "lost string | no object yet\n# A | a\nfield wrong! | no type\nok []B@name | fine")
    let (catalog, faults) = SchemaCatalog.read([table])
    #expect(faults.count == 2)
    #expect(catalog["x.v1.A"]?.field("ok")?.schema == .array(of: .reference("x.v1.B"), list: .map(keys: ["name"])))
  }

  @Test("lead only to schemas that exist, and merge keys to fields that exist")
  func referencesResolve() {
    let catalog = SchemaCatalog.standard
    func check(_ schema: Schema, _ place: String) {
      switch schema {
      case .reference(let name): #expect(catalog[name] != nil, "\(place) → \(name)")
      case .map(let element): check(element, place)
      case .array(let element, let kind):
        check(element, place)
        if case .map(let keys) = kind, case .reference(let name) = element {
          for key in keys { #expect(catalog[name]?.field(key) != nil, "\(place): merge key \(key)") }
        }
      default: break
      }
    }
    for object in catalog.objects.values {
      for field in object.fields {
        check(field.schema, "\(object.name).\(field.name)")
        #expect(!field.description.isEmpty, "\(object.name).\(field.name) has no description")
      }
      #expect(Set(object.fields.map(\.name)).count == object.fields.count, "\(object.name) names a field twice")
    }
  }

  @Test(
    "find what is wrong",
    arguments: [
      (#"{"spec":{"containers":[{"name":"a","image":"b"}]}}"#, [], []),
      (#"{"spec":{"containers":[{"name":"a","foo":1}],"bar":{}}}"#, ["spec.bar", "spec.containers[0].foo"], []),
      (#"{"spec":{}}"#, [], ["spec.containers: Required value"]),
      (#"{"spec":{"containers":[{}]}}"#, [], ["spec.containers[0].name: Required value"]),
      (
        #"{"spec":{"containers":{}}}"#, [],
        [#"spec.containers: Invalid value: "object": must be of type array: "object""#]
      ),
      (
        #"{"metadata":{"labels":{"a":1}}}"#, [],
        [#"metadata.labels.a: Invalid value: "integer": must be of type string: "integer""#]
      ),
      (
        #"{"spec":{"containers":[],"priority":3000000000}}"#, [],
        ["spec.priority: Invalid value: 3000000000: must fit into 32 bits"]
      ),
      (
        #"{"spec":{"containers":[],"hostNetwork":"yes"}}"#, [],
        [#"spec.hostNetwork: Invalid value: "string": must be of type boolean: "string""#]
      ),
      (#"{"spec":{"containers":[{"name":"a","resources":{"limits":{"cpu":1,"memory":"1Gi"}}}]}}"#, [], []),
      (#"{"spec":{"containers":[],"nodeName":null},"status":{"containerStatuses":[{}]}}"#, [], []),
    ] as [(String, [String], [String])])
  func finds(_ text: String, _ unknown: [String], _ causes: [String]) throws {
    let findings = ObjectValidator(catalog: .standard).check(try JSONValue(parsing: text), as: "io.k8s.api.core.v1.Pod")
    #expect(findings.unknownFields == unknown)
    #expect(findings.causes.map { "\($0.field): \($0.message)" } == causes)
  }

  @Test("find wrong quantities, times and choices")
  func findsValues() throws {
    let app: JSONValue = [
      "metadata": ["creationTimestamp": "yesterday"],
      "spec": ["image": "i", "volumeRetention": "Burn", "volumes": [["name": "v", "mountPath": "/v", "size": "big"]]],
    ]
    let causes = ObjectValidator(catalog: .standard).check(app, as: "dev.nagaya.v1alpha1.Application").causes
    #expect(causes.map(\.field) == ["metadata.creationTimestamp", "spec.volumeRetention", "spec.volumes[0].size"])
    #expect(causes.map(\.kind) == [.invalid, .notSupported, .invalid])
  }

  @Test(
    "take out what they do not know, in nested lists and maps too, and keep what is free-form",
    arguments: [
      (
        "io.k8s.api.core.v1.Pod",
        #"{"spec":{"containers":[{"name":"a","foo":1,"env":[{"name":"x","vlaue":"y"}]},{"name":"b"}],"bar":{"z":1}}}"#,
        #"{"spec":{"containers":[{"name":"a","env":[{"name":"x"}]},{"name":"b"}]}}"#
      ),
      (
        "io.k8s.api.core.v1.Pod",
        #"{"metadata":{"labels":{"any":"thing"},"labls":{}},"status":{"containerStatuses":[{"nmae":"x"}]}}"#,
        #"{"metadata":{"labels":{"any":"thing"}},"status":{"containerStatuses":[{}]}}"#
      ),
      (
        "io.k8s.api.core.v1.ConfigMap", #"{"data":{"any":"thing","other":"one"},"binary":{}}"#,
        #"{"data":{"any":"thing","other":"one"}}"#
      ),
      (
        "io.k8s.api.core.v1.PersistentVolume",
        #"{"spec":{"csi":{"driver":"d","volumeAttributes":{"free":"form"},"volumeAtributes":{"a":"b"}},"capacity":{"storage":"1Gi"}}}"#,
        #"{"spec":{"csi":{"driver":"d","volumeAttributes":{"free":"form"}},"capacity":{"storage":"1Gi"}}}"#
      ),
      // Values of a wrong type are not understood, so nothing is taken out of them: validation refuses them.
      ("io.k8s.api.core.v1.Pod", #"{"spec":[{"foo":1}]}"#, #"{"spec":[{"foo":1}]}"#),
      ("no.such.Schema", #"{"spec":{"foo":1}}"#, #"{"spec":{"foo":1}}"#),
    ])
  func prunes(_ schema: String, _ text: String, _ expected: String) throws {
    let value = try JSONValue(parsing: text)
    let validator = ObjectValidator(catalog: .standard)
    let findings = validator.prune(value, as: schema)
    #expect(try (findings.pruned ?? value) == JSONValue(parsing: expected))
    // A tree without unknown fields is not copied, and pruning changes nothing else that is found.
    #expect((findings.pruned == nil) == (text == expected))
    #expect(findings.unknownFields == validator.check(value, as: schema).unknownFields)
    #expect(validator.prune(try JSONValue(parsing: expected), as: schema).unknownFields.isEmpty)
  }

  @Test("take out all of very many unknown fields, though only some are told")
  func prunesMany() {
    let members = Dictionary(uniqueKeysWithValues: (0..<5000).map { ("f\($0)", JSONValue.null) })
    let findings = ObjectValidator(catalog: .standard).prune(.object(members), as: "io.k8s.api.core.v1.Pod")
    #expect(findings.pruned == [:])
    #expect(findings.unknownFields.count == ObjectValidator.maximumFindings)
  }

  @Test("bound their findings")
  func bounded() {
    let members = Dictionary(uniqueKeysWithValues: (0..<5000).map { ("f\($0)", JSONValue.null) })
    let findings = ObjectValidator(catalog: .standard).check(.object(members), as: "io.k8s.api.core.v1.Pod")
    #expect(findings.unknownFields.count == ObjectValidator.maximumFindings)
  }
}
