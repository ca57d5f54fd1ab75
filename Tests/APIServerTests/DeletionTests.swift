import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import ObjectStore
import TestSupport
import Testing

@Suite struct DeletionTests {
  private func owned(_ name: String, by owner: KubernetesObject, blocks: Bool = true) -> KubernetesObject {
    var object = configMap(name)
    object.ownerReferences = [OwnerReference(to: owner, blocksOwnerDeletion: blocks)]
    return object
  }

  @Test func dependentsGoAfterTheirOwner() async throws {
    try await withServer { _, client in
      let top = try await client.create(configMap("top"), as: .configMaps)
      let middle = try await client.create(owned("middle", by: top), as: .configMaps)
      try await client.create(owned("bottom", by: middle), as: .configMaps)
      try await client.create(configMap("other"), as: .configMaps)
      try await client.delete(.configMaps, namespace: "default", name: "top")
      try await eventually("the dependents are deleted") {
        try await client.list(.configMaps).items.map(\.name) == ["other"]
      }
    }
  }

  @Test func aDependentOfAnOwnerThatIsGoneIsDeletedEvenAfterARestart() async throws {
    let store = MemoryObjectStore()
    let first = try await APIServer(store: store, registry: SmallRegistry.registry, logger: quiet)
    let client = first.client()
    try await client.create(KubernetesObject(.namespaces, name: "default"), as: .namespaces)
    let top = try await client.create(configMap("top"), as: .configMaps)
    try await client.create(owned("bottom", by: top), as: .configMaps)
    // Nobody collects while this server lives.
    try await client.delete(.configMaps, namespace: "default", name: "top")
    let second = try await APIServer(store: store, registry: SmallRegistry.registry, logger: quiet)
    #expect(try await second.client().list(.configMaps).items.map(\.name) == ["bottom"])
    let running = Task { try await second.run() }
    try await eventually("the dependent is deleted") { try await second.client().list(.configMaps).items.isEmpty }
    running.cancel()
    try await running.value
  }

  @Test func anOwnerDeletedInTheForegroundGoesLast() async throws {
    try await withServer { _, client in
      let top = try await client.create(configMap("top"), as: .configMaps)
      var held = owned("held", by: top)
      held.finalizers = ["test.nagaya.dev/hold"]
      try await client.create(held, as: .configMaps)
      try await client.delete(.configMaps, namespace: "default", name: "top", propagation: .foreground)
      try await eventually("the dependent is being deleted") {
        try await client.get(.configMaps, namespace: "default", name: "held").isBeingDeleted
      }
      let waiting = try await client.get(.configMaps, namespace: "default", name: "top")
      #expect(waiting.isBeingDeleted)
      #expect(waiting.finalizers == ["foregroundDeletion"])
      try await client.patch(
        .configMaps, namespace: "default", name: "held", ["metadata": ["finalizers": nil]])
      try await eventually("both are gone") { try await client.list(.configMaps).items.isEmpty }
    }
  }

  @Test func orphansStay() async throws {
    try await withServer { _, client in
      let top = try await client.create(configMap("top"), as: .configMaps)
      try await client.create(owned("bottom", by: top), as: .configMaps)
      try await client.delete(.configMaps, namespace: "default", name: "top", propagation: .orphan)
      try await eventually("the owner is gone") {
        try await client.getIfPresent(.configMaps, namespace: "default", name: "top") == nil
      }
      #expect(try await client.get(.configMaps, namespace: "default", name: "bottom").ownerReferences.isEmpty)
    }
  }

  @Test func anObjectWithTwoOwnersLosesOnlyTheReference() async throws {
    try await withServer { _, client in
      let one = try await client.create(configMap("one"), as: .configMaps)
      let two = try await client.create(configMap("two"), as: .configMaps)
      var both = configMap("both")
      both.ownerReferences = [OwnerReference(to: one), OwnerReference(to: two, isController: false)]
      try await client.create(both, as: .configMaps)
      try await client.delete(.configMaps, namespace: "default", name: "one")
      try await eventually("one reference is left") {
        try await client.get(.configMaps, namespace: "default", name: "both").ownerReferences.map(\.name) == ["two"]
      }
      try await client.delete(.configMaps, namespace: "default", name: "two")
      try await eventually("it is deleted") { try await client.list(.configMaps).items.isEmpty }
    }
  }

  @Test func finalizersHoldAnObject() async throws {
    try await withServer { _, client in
      var object = configMap("held")
      object.finalizers = ["test.nagaya.dev/hold"]
      try await client.create(object, as: .configMaps)
      try await client.delete(.configMaps, namespace: "default", name: "held")
      var held = try await client.get(.configMaps, namespace: "default", name: "held")
      #expect(held.isBeingDeleted)
      let version = held.resourceVersion
      try await client.delete(.configMaps, namespace: "default", name: "held")
      #expect(try await client.get(.configMaps, namespace: "default", name: "held").resourceVersion == version)
      held.finalizers = ["test.nagaya.dev/hold", "test.nagaya.dev/more"]
      let status = await refusal { try await client.update(held, as: .configMaps) }
      #expect(status?.causes.first?.field == "metadata.finalizers")
      held.finalizers = []
      try await client.update(held, as: .configMaps)
      #expect(try await client.getIfPresent(.configMaps, namespace: "default", name: "held") == nil)
    }
  }

  @Test func aRunningPodGetsItsGracePeriodAndOthersGoAtOnce() async throws {
    try await withServer { _, client in
      try await client.create(KubernetesObject(.pods, namespace: "default", name: "idle"), as: .pods)
      try await client.delete(.pods, namespace: "default", name: "idle")
      #expect(try await client.getIfPresent(.pods, namespace: "default", name: "idle") == nil)

      try await client.create(KubernetesObject(.pods, namespace: "default", name: "web"), as: .pods)
      let binding: JSONValue = ["apiVersion": "v1", "kind": "Binding", "target": ["kind": "Node", "name": "n1"]]
      func bind() async throws {
        _ = try await client.json(
          APIRequest(
            .post, Resource.pods.path(namespace: "default", name: "web", subresource: "binding"),
            contentType: "application/json", body: binding.encoded()))
      }
      try await bind()
      let again = await refusal { try await bind() }
      #expect(again?.message.contains("pod web is already assigned to node \"n1\"") == true)
      #expect(try await client.list(.pods, fields: "spec.nodeName=n1").items.map(\.name) == ["web"])

      try await client.delete(.pods, namespace: "default", name: "web")
      let stopping = try await client.get(.pods, namespace: "default", name: "web")
      #expect(stopping.metadata["deletionGracePeriodSeconds"].int == 30)
      try await client.delete(.pods, namespace: "default", name: "web", gracePeriodSeconds: 0)
      #expect(try await client.getIfPresent(.pods, namespace: "default", name: "web") == nil)
    }
  }

  @Test func preconditionsProtectTheSuccessor() async throws {
    try await withServer { _, client in
      let made = try await client.create(configMap("a"), as: .configMaps)
      let status = await refusal { try await client.delete(.configMaps, namespace: "default", name: "a", uid: "other") }
      #expect(status?.isConflict == true)
      try await client.delete(.configMaps, namespace: "default", name: "a", uid: made.uid)
    }
  }

  @Test func aNamespaceTerminatesUntilItIsFinalized() async throws {
    try await withServer(namespaces: ["default", "demo"]) { _, client in
      try await client.delete(.namespaces, name: "demo")
      var namespace = try await client.get(.namespaces, name: "demo")
      #expect(namespace.status["phase"] == "Terminating")
      let refused = await refusal { try await client.create(configMap("a", namespace: "demo"), as: .configMaps) }
      #expect(refused?.code == 403)
      #expect(refused?.message.contains("because it is being terminated") == true)
      namespace.spec["finalizers"] = []
      _ = try await client.json(
        APIRequest(
          .put, Resource.namespaces.path(name: "demo", subresource: "finalize"), contentType: "application/json",
          body: namespace.json.encoded()))
      #expect(try await client.getIfPresent(.namespaces, name: "demo") == nil)
      let missing = await refusal { try await client.create(configMap("a", namespace: "demo"), as: .configMaps) }
      #expect(missing?.message == "namespaces \"demo\" not found")
      #expect(missing?.code == 404)
    }
  }

  @Test func aCollectionIsDeletedBySelector() async throws {
    try await withServer { _, client in
      for index in 0..<6 {
        try await client.create(configMap("n\(index)", labels: ["odd": "\(index % 2)"]), as: .configMaps)
      }
      _ = try await client.json(
        APIRequest(.delete, Resource.configMaps.path(namespace: "default"), query: [("labelSelector", "odd=1")]))
      #expect(try await client.list(.configMaps).items.map(\.name) == ["n0", "n2", "n4"])
    }
  }
}
