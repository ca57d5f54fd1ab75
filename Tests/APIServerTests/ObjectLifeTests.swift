import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Testing

@Suite struct ObjectLifeTests {
  @Test func anObjectIsCreatedReadChangedListedAndDeleted() async throws {
    try await withServer { _, client in
      let made = try await client.create(configMap("one", labels: ["a": "b"], ["k": "v"]), as: .configMaps)
      #expect(!made.uid.isEmpty)
      #expect(made.creationTimestamp != nil)
      #expect(try await client.get(.configMaps, namespace: "default", name: "one") == made)

      var changed = made
      changed["data"]["k"] = "w"
      let updated = try await client.update(changed, as: .configMaps)
      #expect(UInt64(updated.resourceVersion) ?? 0 > UInt64(made.resourceVersion) ?? 0)
      #expect(updated.uid == made.uid)

      let list = try await client.list(
        .configMaps, namespace: "default", labels: LabelSelector(matchLabels: ["a": "b"]))
      #expect(list.items == [updated])
      #expect(try await client.list(.configMaps, labels: LabelSelector(matchLabels: ["a": "c"])).items.isEmpty)

      try await client.delete(.configMaps, namespace: "default", name: "one")
      #expect(try await client.getIfPresent(.configMaps, namespace: "default", name: "one") == nil)
      let status = await refusal { try await client.delete(.configMaps, namespace: "default", name: "one") }
      #expect(status?.message == "configmaps \"one\" not found")
    }
  }

  @Test func aWriteThatChangesNothingKeepsTheResourceVersion() async throws {
    try await withServer { server, client in
      let made = try await client.create(configMap("one", ["k": "v"]), as: .configMaps)
      let writes = server.counters.writes
      #expect(try await client.update(made, as: .configMaps) == made)
      #expect(try await client.patch(.configMaps, namespace: "default", name: "one", ["data": ["k": "v"]]) == made)
      #expect(server.counters.writes == writes)
    }
  }

  @Test func aWriteOfAnOldVersionIsAConflict() async throws {
    try await withServer { _, client in
      let first = try await client.create(configMap("one", ["k": "1"]), as: .configMaps)
      var second = first
      second["data"]["k"] = "2"
      try await client.update(second, as: .configMaps)
      var late = first
      late["data"]["k"] = "3"
      let status = await refusal { try await client.update(late, as: .configMaps) }
      #expect(status?.code == 409)
      #expect(
        status?.message
          == "Operation cannot be fulfilled on configmaps \"one\": the object has been modified; please apply your changes to the latest version and try again"
      )
      // Without a version the write is unconditional.
      late.metadata.remove("resourceVersion")
      #expect(try await client.update(late, as: .configMaps)["data"]["k"] == "3")
    }
  }

  @Test func watchersSeeWhatHappensOnceAndInOrder() async throws {
    try await withServer { _, client in
      let list = try await client.list(.configMaps)
      let events = try await client.watch(.configMaps, from: list.resourceVersion)
      try await client.create(configMap("one", ["k": "1"]), as: .configMaps)
      try await client.patch(.configMaps, namespace: "default", name: "one", ["data": ["k": "2"]])
      try await client.delete(.configMaps, namespace: "default", name: "one")
      var seen: [String] = []
      for try await event in events {
        switch event {
        case .added(let object): seen.append("added \(object["data"]["k"].string ?? "")")
        case .modified(let object): seen.append("modified \(object["data"]["k"].string ?? "")")
        case .deleted(let object): seen.append("deleted \(object["data"]["k"].string ?? "")")
        case .bookmark: continue
        }
        if seen.count == 3 { break }
      }
      #expect(seen == ["added 1", "modified 2", "deleted 2"])
    }
  }
}
