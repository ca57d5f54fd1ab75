import APIServer
import Applications
import CSIDriver
import Controllers
import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import ObjectStore
import PodScheduler
import ServiceLifecycle
import StorageControllers
import Tenancy
import TestSupport
import Testing
import VolumePools

@testable import nagaya

/// Numbers, quantities and times at the edge of what they can hold, in every field of every kind that has one.
///
/// A trap would end the process of the tests: which field was being tried stands in a file then.
@Suite("Extremes of every field", .serialized)
struct ExtremesTests {
  private static let quiet = {
    var logger = Logger(label: "extremes")
    logger.logLevel = .critical
    return logger
  }()

  @Test("are answered, whichever way they come, and never end the server")
  func answered() async throws {
    let position = try Position()
    defer { position.remove() }
    let server = try await APIServer.inMemory(logger: Self.quiet)
    let client = server.client()
    try await client.create(KubernetesObject(.namespaces, name: ExtremeField.namespace), as: .namespaces)
    #expect(ExtremeField.all.count > 500)
    for field in ExtremeField.all {
      // Of shapes that are tried elsewhere the worst values are enough.
      for value in field.isRepeated ? Array(field.values.prefix(4)) : field.values {
        position.note(field, value)
        let object = field.object("one", holding: value)
        let path = field.resource.path(namespace: object.namespace)
        let created = await server.respond(to: Self.request(.post, path, object.json), from: .component("test"))
        #expect([201, 400, 409, 413, 422].contains(created.status), "\(field) \(value): \(created.status)")
        guard created.status == 201 else { continue }
        let table = APIRequest(.get, path, accept: "application/json;as=Table;g=meta.k8s.io;v=v1")
        let read = await server.respond(to: table, from: .component("test"))
        #expect(read.status == 200)
        #expect(try await read.body.collect().count > 0)
        let deleted = await server.respond(
          to: APIRequest(.delete, "\(path)/one", query: [("gracePeriodSeconds", "0")]), from: .component("test"))
        #expect(deleted.status == 200, "\(field) \(value)")
        if field.resource == .namespaces { try await Self.finalize("one", client) }
      }
    }
    figure("extremes.fields", ExtremeField.all.count, "count")
  }

  @Test("of requests' options are answered")
  func options() async throws {
    let server = try await APIServer.inMemory(logger: Self.quiet)
    try await server.client().create(KubernetesObject(.namespaces, name: "extreme"), as: .namespaces)
    let numbers = [
      "9223372036854775807", "-9223372036854775808", "9223372036854775808", "-1", "0", "1e308", "NaN", "2147483648",
      "18446744073709551616",
    ]
    let pod = #"{"metadata":{"name":"p"},"spec":{"nodeName":"a","containers":[{"name":"c","image":"a/b:1"}]}}"#
    let pods = Resource.pods.path(namespace: "extreme")
    for number in numbers {
      for name in ["limit", "resourceVersion", "timeoutSeconds", "continue", "resourceVersionMatch"] {
        for watch in ["false", "true"] {
          let answer = await server.respond(
            to: APIRequest(.get, pods, query: [(name, number), ("watch", watch)]), from: .component("test"))
          #expect((200..<505).contains(answer.status))
        }
      }
      for name in ["sinceSeconds", "tailLines", "limitBytes", "sinceTime"] {
        let answer = await server.respond(
          to: APIRequest(.get, "\(pods)/p/log", query: [(name, number)]), from: .component("test"))
        #expect((400..<504).contains(answer.status))
      }
      _ = await server.respond(
        to: APIRequest(.post, pods, contentType: "application/json", body: Array(pod.utf8)), from: .component("test"))
      for body in [#"{"gracePeriodSeconds":\#(number)}"#, ""] {
        let request = APIRequest(
          .delete, "\(pods)/p", query: body.isEmpty ? [("gracePeriodSeconds", number)] : [],
          contentType: "application/json", body: Array(body.utf8))
        let answer = await server.respond(to: request, from: .component("test"))
        #expect([200, 400, 404, 422].contains(answer.status), "\(number): \(answer.status)")
      }
    }
  }

  @Test("that are stored already stop neither a start nor a controller nor the scheduler")
  func stored() async throws {
    let position = try Position()
    defer { position.remove() }
    let store = MemoryObjectStore()
    let stored = try await Self.fill(store)
    // Twice: what the first run wrote is what the second one starts with.
    for run in 1...2 {
      position.note("run \(run) over \(stored) stored objects")
      try await Self.run(over: store, named: "sane-\(run)")
    }
    figure("extremes.stored", stored, "count")
    figure("extremes.traps", 0, "count")
  }

  // MARK: The store

  /// Writes objects as an older server could have left them: nobody validates them.
  private static func fill(_ store: MemoryObjectStore) async throws -> Int {
    var revision: UInt64 = 0
    func write(_ object: KubernetesObject, _ resource: Resource) async throws {
      revision += 1
      var object = object
      // A field that is being tried may stand in the metadata.
      let name = String(format: "f%06d", Int(revision))
      if object.name.isEmpty { object.metadata["name"] = .string(name) }
      object.metadata["uid"] = .string("00000000-0000-4000-8000-\(String(format: "%012d", Int(revision)))")
      if object.metadata["creationTimestamp"].isNull { object.metadata["creationTimestamp"] = "2026-01-01T00:00:00Z" }
      object.metadata["resourceVersion"] = .string(String(revision))
      let key = StoreKey(resource: resource.qualifiedPlural, namespace: object.namespace, name: object.name)
      try await store.append([
        StoreWrite(key: key, precondition: .absent, revision: revision, value: object.json.encoded())
      ])
    }
    var namespace = KubernetesObject(.namespaces, name: ExtremeField.namespace)
    namespace.spec["finalizers"] = ["kubernetes"]
    namespace.status["phase"] = "Active"
    try await write(namespace, .namespaces)
    var quota = KubernetesObject(.resourceQuotas, namespace: ExtremeField.namespace, name: "none")
    // Huge counts of replicas are in the store: no pods come of them, so that the test ends.
    quota.spec["hard"] = ["pods": "0"]
    try await write(quota, .resourceQuotas)
    for (index, field) in ExtremeField.all.enumerated() {
      for (number, value) in field.values.prefix(field.isRepeated ? 1 : 2).enumerated() {
        var object = field.object("f\(index)-\(number)", holding: value)
        // Some pods have a node, so that they count on it; the others are to get one.
        if field.resource == .pods, index.isMultiple(of: 2) { object.spec["nodeName"] = "a" }
        if field.resource == .deployments || field.resource == .replicaSets {
          object.spec["selector"]["matchLabels"]["app"] = .string(object.name)
          object.spec["template"]["metadata"]["labels"]["app"] = .string(object.name)
        }
        try await write(object, field.resource)
      }
    }
    return Int(revision)
  }

  /// A server and all that works on its objects, until an object made afterwards has gone its way through all of them.
  private static func run(over store: MemoryObjectStore, named name: String) async throws {
    let server = try await APIServer(store: store, registry: .standard, logger: quiet)
    let client = server.client()
    let controllers = BuiltInControllers(
      client: client, logger: quiet,
      namespacedResources: ResourceRegistry.standard.definitions.map(\.resource).filter(\.isNamespaced))
    let scheduler = PodScheduler(client, logger: quiet)
    let applications = ApplicationController(
      client: client, address: PublicAddress(domain: "nagaya.test", port: 8443), logger: quiet)
    let tenants = TenantController(client: client, logger: quiet)
    let directory = "/tmp/nagaya-extremes-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: "\(directory)/pool", withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let pool = try await FilePool.open(
      .init(name: "default", directory: "\(directory)/pool", limitBytes: 1 << 30, reservedBytes: 0), logger: quiet)
    let socket = "\(directory)/csi.sock"
    let driver = CSIServer(DriverConfiguration(nodeName: "a", pools: [pool]), socket: socket, logger: quiet)
    let storage = try NodeStorageControllers(
      client: client, driverSocket: socket, poolPath: "\(directory)/pool", logger: quiet)
    let volumes = ServiceGroup(
      services: [driver, storage, StorageControllers(client: client, logger: quiet)], logger: quiet)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await volumes.run() }
      group.addTask { try await server.run() }
      group.addTask { try await controllers.run() }
      group.addTask { try await scheduler.run() }
      group.addTask { try await applications.run() }
      group.addTask { try await tenants.run() }
      try await sane(name, client)
      for definition in ResourceRegistry.standard.definitions {
        for accept in ["application/json", "application/json;as=Table;v=v1;g=meta.k8s.io"] {
          let answer = await server.respond(
            to: APIRequest(.get, definition.resource.path(), accept: accept), from: .component("test"))
          #expect(answer.status == 200)
          #expect(try await answer.body.collect().count > 0)
        }
      }
      // Half of the pods are asked to go, by their own grace periods; the collector gets what they leave.
      for pod in try await client.list(.pods, namespace: ExtremeField.namespace).items.prefix(200) {
        try? await client.delete(.pods, namespace: pod.namespace, name: pod.name)
      }
      // The driver's clients end before it does: what is cancelled under calls may drop them half-made.
      await volumes.triggerGracefulShutdown()
      group.cancelAll()
    }
  }

  private static func sane(_ name: String, _ client: KubernetesClient) async throws {
    if try await !client.list(.namespaces).items.contains(where: { $0.name == "sane" }) {
      try await client.create(KubernetesObject(.namespaces, name: "sane"), as: .namespaces)
    }
    var node = KubernetesObject(.nodes, name: name, labels: ["sane": "true"])
    node.status["allocatable"] = ["cpu": "4", "memory": "8Gi", "pods": "110"]
    node.status["conditions"] = [["type": "Ready", "status": "True", "reason": "KubeletReady", "message": ""]]
    try await client.create(node, as: .nodes)
    // Where the volume is made: a claim is taken back from a node that is not there.
    if try await client.getIfPresent(.nodes, name: "a") == nil {
      try await client.create(KubernetesObject(.nodes, name: "a"), as: .nodes)
    }
    var app = KubernetesObject(.applications, namespace: "sane", name: name)
    app.spec = ["image": "a/b:1"]
    try await client.create(app, as: .applications)
    var tenant = KubernetesObject(.tenants, name: name)
    tenant.spec = ["environments": ["dev"]]
    try await client.create(tenant, as: .tenants)
    if try await client.getIfPresent(.storageClasses, name: "sane") == nil {
      var storageClass = KubernetesObject(.storageClasses, name: "sane")
      storageClass["provisioner"] = "local.nagaya.dev"
      storageClass["volumeBindingMode"] = "WaitForFirstConsumer"
      try await client.create(storageClass, as: .storageClasses)
    }
    var claim = KubernetesObject(.persistentVolumeClaims, namespace: "sane", name: name)
    claim.annotations = ["volume.kubernetes.io/selected-node": "a"]
    claim.spec = [
      "accessModes": ["ReadWriteOnce"], "storageClassName": "sane", "resources": ["requests": ["storage": "8Mi"]],
    ]
    try await client.create(claim, as: .persistentVolumeClaims)
    try await eventually("a volume is made among all that", within: .seconds(1800), every: .milliseconds(200)) {
      try await client.get(.persistentVolumeClaims, namespace: "sane", name: name).status["phase"].string == "Bound"
    }
    try await eventually("an app's pod is scheduled among all that", within: .seconds(1800), every: .milliseconds(200))
    {
      try await client.list(.pods, namespace: "sane").items.contains {
        $0.name.hasPrefix(name) && $0.spec["nodeName"].string?.isEmpty == false
      }
    }
    try await eventually("a tenant's environment is there", within: .seconds(1800), every: .milliseconds(200)) {
      try await client.list(.namespaces).items.contains { $0.name == "\(name)-dev" }
    }
    try await eventually("a deployment's status is told", within: .seconds(1800), every: .milliseconds(200)) {
      try await client.list(.deployments, namespace: "sane").items.contains {
        $0.name.hasPrefix(name) && ($0.status["observedGeneration"].int ?? 0) > 0
      }
    }
  }

  private static func finalize(_ name: String, _ client: KubernetesClient) async throws {
    guard var namespace = try? await client.get(.namespaces, name: name) else { return }
    namespace.spec["finalizers"] = []
    _ = try? await client.send(
      APIRequest(
        .put, Resource.namespaces.path(name: name, subresource: "finalize"), contentType: "application/json",
        body: namespace.json.encoded()))
  }

  private static func request(_ method: APIRequest.Method, _ path: String, _ body: JSONValue) -> APIRequest {
    APIRequest(method, path, contentType: "application/json", body: body.encoded())
  }
}

/// Where the test was, in a file that is left behind if the process ends.
private struct Position {
  private let path: String
  private let file: FileHandle

  init() throws {
    path = FileManager.default.temporaryDirectory.appending(path: "nagaya-extremes-\(UUID().uuidString)").path
    try Data().write(to: URL(filePath: path))
    file = try #require(FileHandle(forWritingAtPath: path))
    print("extremes: should this process end, the field that was tried stands in \(path)")
  }

  func note(_ field: ExtremeField, _ value: JSONValue) {
    note("\(field) = \(String(decoding: value.encoded(), as: UTF8.self))")
  }

  func note(_ text: String) {
    try? file.seek(toOffset: 0)
    try? file.write(contentsOf: Data("\(text)\n".utf8))
  }

  func remove() { try? FileManager.default.removeItem(atPath: path) }
}
