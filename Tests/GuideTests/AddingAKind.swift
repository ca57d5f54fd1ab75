import JSONDocument
import TestSupport
import Testing

// guide: kind
@testable import APIServer
@testable import KubernetesAPI

extension Resource {
  static let doorbells = Resource(
    group: "example.nagaya.dev", version: "v1alpha1", plural: "doorbells", kind: "Doorbell")
}

extension SchemaTable {
  static let doorbells = SchemaTable(
    "dev.nagaya.example.v1alpha1",
    """
    # Doorbell : DoorbellSpec DoorbellStatus | A bell at a door.
    # DoorbellSpec | How it rings.
    door! string | The door.
    seconds int(1..60) | How long it rings.
    # DoorbellStatus | What became of it.
    rung int(0..) | How often it rang.
    """)
}

extension ResourceDefinition {
  static let doorbell = ResourceDefinition(
    .doorbells, singular: "doorbell", shortNames: ["db"], schema: "dev.nagaya.example.v1alpha1.Doorbell",
    columns: [
      .name, .text("Door", "The door.") { $0.spec["door"].string }.showing(".spec.door"),
      .count("Rung", "How often it rang.") { $0.status["rung"].int }.showing(".status.rung"), .age,
    ],
    subresources: [.status], hasGeneration: true,
    applyDefaults: { if $0.spec["seconds"].isNull { $0.spec["seconds"] = 2 } },
    validate: { bell, old in
      var faults = FieldFaults()
      faults.checkDNSLabel("spec.door", bell.spec["door"])
      if let old { faults.checkImmutable("spec.door", new: bell.spec["door"], old: old.spec["door"]) }
      return faults.causes
    })
}
// end

extension ResourceRegistry {
  /// In the product, a line in `ResourceRegistry.standard` and one in `SchemaTable.standard`.
  static let withDoorbells = ResourceRegistry(
    ResourceRegistry.standard.definitions + [.doorbell],
    schemas: SchemaCatalog.standard.merging(SchemaCatalog.read([.doorbells]).catalog))
}

/// docs/extending.md, followed.
@Suite struct AddingAKind {
  @Test func `the table can be read`() { #expect(SchemaCatalog.read([.doorbells]).faults == []) }

  @Test func `a kind is stored, defaulted, checked, shown and discovered by its declaration`() async throws {
    try await APIServer.withInMemory(registry: .withDoorbells) { server in
      let client = server.client()
      var bell = KubernetesObject(.doorbells, namespace: "default", name: "front")
      bell.spec = ["door": "front"]
      let stored = try await client.create(bell, as: .doorbells)
      #expect(stored.spec["seconds"] == 2)
      for (spec, word) in [
        (["door": "Front Door"], "spec.door"), (["door": "a", "seconds": 61], "spec.seconds"), ([:], "spec.door"),
      ] as [(JSONValue, String)] {
        var wrong = KubernetesObject(.doorbells, namespace: "default", name: "wrong")
        wrong.spec = spec
        let refusal = await #expect(throws: APIStatus.self) { try await client.create(wrong, as: .doorbells) }
        #expect(refusal.map { "\($0)".contains(word) } == true, "\(String(describing: refusal))")
      }
      var moved = stored
      moved.spec["door"] = "back"
      await #expect(throws: APIStatus.self) { try await client.update(moved, as: .doorbells) }
      let table = try await client.json(
        .init(
          .get, "/apis/example.nagaya.dev/v1alpha1/namespaces/default/doorbells",
          accept: "application/json;as=Table;v=v1;g=meta.k8s.io"))
      #expect(table["columnDefinitions"].elements.compactMap { $0["name"].string } == ["Name", "Door", "Rung", "Age"])
      #expect(table["rows"][0]["cells"][1] == "front")
      let group = try await client.json(.init(.get, "/apis/example.nagaya.dev/v1alpha1"))
      #expect(group["resources"].elements.contains { $0["name"] == "doorbells/status" })
      let explained = try await client.json(.init(.get, "/openapi/v3/apis/example.nagaya.dev/v1alpha1"))
      let schemas = explained["components"]["schemas"]
      #expect(!schemas["dev.nagaya.example.v1alpha1.DoorbellSpec"]["properties"]["seconds"].isNull)
    }
    let definition = CustomResources(.withDoorbells).definition(of: .doorbells)
    #expect(definition?.spec["versions"][0]["additionalPrinterColumns"].elements.count == 3)
  }
}
