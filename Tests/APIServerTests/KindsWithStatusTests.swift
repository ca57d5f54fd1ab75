import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import ObjectStore
import Testing

@Suite("Kinds with a status, and objects of older servers")
struct KindsWithStatusTests {
  private static let template =
    #""selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"a/b:1"}]}}"#
  static let specs: [String: String] = [
    "deployments": "{\(template)}", "replicasets": "{\(template)}",
    "pods": #"{"containers":[{"name":"c","image":"a/b:1"}]}"#, "services": #"{"ports":[{"port":80}]}"#,
    "persistentvolumes":
      #"{"capacity":{"storage":"1Gi"},"accessModes":["ReadWriteOnce"],"csi":{"driver":"d","volumeHandle":"x"}}"#,
    "persistentvolumeclaims":
      #"{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}"#,
    "volumesnapshots": #"{"source":{"persistentVolumeClaimName":"x"}}"#,
    "volumesnapshotcontents":
      #"{"driver":"d","deletionPolicy":"Delete","source":{"volumeHandle":"x"},"volumeSnapshotRef":{"namespace":"default","name":"x"}}"#,
    "applications": #"{"image":"a/b:1"}"#, "volumepools": #"{"nodeName":"a","pool":"p"}"#,
    "volumemoves": #"{"volumeName":"v","targetNode":"a"}"#,
  ]

  @Test(
    "have one from the beginning",
    arguments: ResourceRegistry.standard.definitions.filter { $0.subresources.contains(.status) }.map(\.resource))
  func statusAtCreation(_ resource: Resource) async throws {
    let server = try await APIServer.inMemory(logger: Logger(label: "test"))
    let client = server.client()
    try await client.create(KubernetesObject(.namespaces, name: "default"), as: .namespaces)
    var object = KubernetesObject(resource, namespace: resource.isNamespaced ? "default" : nil, name: "x")
    object["spec"] = try JSONValue(parsing: Self.specs[resource.plural] ?? "{}")
    let created = try await client.create(object, as: resource)
    guard case .object = created.status else {
      Issue.record("\(resource.kind) has no status: \(created.status)")
      return
    }
    switch resource.plural {
    case "services": #expect(created.status == ["loadBalancer": [:]])
    case "namespaces": #expect(created.status == ["phase": "Active"])
    case "replicasets": #expect(created.status == ["replicas": 0])
    case "deployments", "applications", "tenants": #expect(created.status == [:])
    case "pods": #expect(created.status["phase"] == "Pending")
    default: break
    }
  }

  @Test("an object with what is refused today gets its status, loses its finalizers, and takes no more of it")
  func ratchet() async throws {
    let store = MemoryObjectStore()
    var pod = try JSONValue(
      parsing: #"""
        {"apiVersion":"v1","kind":"Pod","metadata":{"name":"old","namespace":"default","uid":"00000000-0000-4000-8000-000000000001",
         "resourceVersion":"1","creationTimestamp":"2026-01-01T00:00:00Z","finalizers":["a.b/c"]},
         "spec":{"containers":[{"name":"c","image":"a/b:1"}],"activeDeadlineSeconds":9223372036854775807,
         "volumes":[{"name":"v","secret":{"secretName":"s","defaultMode":-1}}]}}
        """#)
    try await store.append([
      StoreWrite(
        key: StoreKey(resource: "pods", namespace: "default", name: "old"), precondition: .absent, revision: 1,
        value: pod.encoded())
    ])
    let server = try await APIServer(store: store, registry: .standard, logger: Logger(label: "test"))
    let client = server.client()
    var object = try await client.get(.pods, namespace: "default", name: "old")
    object.status["phase"] = "Running"
    object = try await client.updateStatus(object, as: .pods)
    #expect(object.status["phase"] == "Running")
    object.finalizers = []
    object = try await client.update(object, as: .pods)
    pod = object.json
    pod["spec"]["activeDeadlineSeconds"] = -1
    let answer = await server.respond(
      to: APIRequest(
        .put, Resource.pods.path(namespace: "default", name: "old"), contentType: "application/json",
        body: pod.encoded()),
      from: .component("test"))
    #expect(answer.status == 422)
    let text = String(decoding: try await answer.body.collect(), as: UTF8.self)
    #expect(text.contains("spec.activeDeadlineSeconds") && !text.contains("defaultMode"))
  }

  @Test("an object above the limit may change as long as it does not grow")
  func largeObjects() async throws {
    let store = MemoryObjectStore()
    let large = String(repeating: "x", count: 2_000_000)
    let map: JSONValue = [
      "apiVersion": "v1", "kind": "ConfigMap", "data": ["k": .string(large)],
      "metadata": [
        "name": "old", "namespace": "default", "uid": "00000000-0000-4000-8000-000000000001", "resourceVersion": "1",
        "creationTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["a.b/c"],
      ],
    ]
    try await store.append([
      StoreWrite(
        key: StoreKey(resource: "configmaps", namespace: "default", name: "old"), precondition: .absent, revision: 1,
        value: map.encoded())
    ])
    let server = try await APIServer(store: store, registry: .standard, logger: Logger(label: "test"))
    func patch(_ body: String) async -> Int {
      await server.respond(
        to: APIRequest(
          .patch, Resource.configMaps.path(namespace: "default", name: "old"),
          contentType: "application/merge-patch+json", body: Array(body.utf8)),
        from: .component("test")
      ).status
    }
    #expect(await patch(#"{"metadata":{"annotations":{"a.b/c":"\#(large.prefix(1000))"}}}"#) == 413)
    #expect(await patch(#"{"metadata":{"finalizers":null}}"#) == 200)
  }

  @Test(
    "binaryData must be base64",
    arguments: [("AAEC", 201), ("!", 422), ("", 201)])
  func binaryData(_ text: String, _ code: Int) async throws {
    let server = try await APIServer.inMemory(logger: Logger(label: "test"))
    try await server.client().create(KubernetesObject(.namespaces, name: "default"), as: .namespaces)
    let body = #"{"metadata":{"name":"x"},"binaryData":{"k":"\#(text)"}}"#
    let answer = await server.respond(
      to: APIRequest(
        .post, Resource.configMaps.path(namespace: "default"), contentType: "application/json", body: Array(body.utf8)),
      from: .component("test"))
    #expect(answer.status == code)
  }
}
