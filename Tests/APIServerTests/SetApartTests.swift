import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import ObjectStore
import TestSupport
import Testing

@testable import APIServer

/// One bad object must not stop a start.
@Suite struct SetApartTests {
  private static let quiet = Logger(label: "set-apart") { _ in SwiftLogNoOpLogHandler() }

  private func withStore(_ body: (String, SQLiteObjectStore) async throws -> Void) async throws {
    let directory = "/tmp/nagaya-apart-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let path = "\(directory)/objects.sqlite"
    try await body(path, try SQLiteObjectStore(path: path))
  }

  private func server(_ store: SQLiteObjectStore) async throws -> APIServer {
    try await APIServer(store: store, registry: .standard, logger: Self.quiet)
  }

  /// A store with the namespace `demo` and so many config maps in it.
  private func fill(_ store: SQLiteObjectStore, count: Int) async throws {
    let client = try await server(store).client()
    try await client.create(KubernetesObject(.namespaces, name: "demo"), as: .namespaces)
    for index in 0..<count {
      var map = KubernetesObject(.configMaps, namespace: "demo", name: "map-\(1000 + index)")
      map["data"] = ["key": "value"]
      try await client.create(map, as: .configMaps)
    }
  }

  static let damages: [(String, [UInt8])] = [
    ("no JSON", Array("{\"kind\": \"Config".utf8)), ("no object", Array("[1, 2]".utf8)), ("nothing", []),
    ("no text", [0xFF, 0xFE, 0x00, 0x01]),
    ("sealed with a key that is missing", Array("k8s:enc:aesgcm:v1:k1:\u{1}x".utf8)),
    ("nested without end", [UInt8](repeating: UInt8(ascii: "["), count: 1 << 20)),
    (
      "another's name",
      Array(#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"other","namespace":"demo"}}"#.utf8)
    ),
  ]

  @Test(arguments: damages) func `a damaged object is set apart, told of, kept and restorable`(
    damage: (String, [UInt8])
  ) async throws {
    try await withStore { _, store in
      try await fill(store, count: 3)
      let key = StoreKey(resource: "configmaps", namespace: "demo", name: "map-1001")
      let whole = try await store.salvage(resource: "configmaps").objects.first { $0.key == key }
      #expect(try await store.repair(key, value: damage.1))

      let server = try await server(store)
      #expect(server.objectsSetApart.map(\.key) == [key])
      let client = server.client()
      #expect(try await client.list(.configMaps, namespace: "demo").items.map(\.name) == ["map-1000", "map-1002"])
      // Its key stays taken: nothing new hides what may be repaired.
      for attempt in [
        { _ = try await client.get(.configMaps, namespace: "demo", name: "map-1001") },
        {
          _ = try await client.create(
            KubernetesObject(.configMaps, namespace: "demo", name: "map-1001"), as: .configMaps)
        },
      ] as [@Sendable () async throws -> Void] {
        let error = await #expect(throws: APIStatus.self) { try await attempt() }
        #expect(error?.message.contains("cannot be read") == true, "\(String(describing: error))")
      }
      // The rest takes writes.
      try await client.patch(.configMaps, namespace: "demo", name: "map-1002", ["data": ["key": "new"]])
      let kept = try await store.salvage(resource: "configmaps").objects.first { $0.key == key }
      #expect(kept?.value == damage.1)

      #expect(try await store.repair(key, value: try #require(whole).value))
      let repaired = try await self.server(store)
      #expect(repaired.objectsSetApart.isEmpty)
      #expect(
        try await repaired.client().get(.configMaps, namespace: "demo", name: "map-1001")["data"]["key"] == "value")
    }
  }

  @Test func `a damaged page costs what is on it`() async throws {
    try await withStore { path, store in
      try await fill(store, count: 200)
      try await store.compact()
      try store.close()
      var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
      let pageSize = Int(bytes[16]) << 8 | Int(bytes[17])
      // Leaves of the table (type 10) that hold config maps; one in the middle loses its header.
      let leaves = stride(from: pageSize, to: bytes.count, by: pageSize).filter { page in
        bytes[page] == 0x0A && String(decoding: bytes[page..<page + pageSize], as: UTF8.self).contains("configmaps")
      }
      try #require(leaves.count > 4)
      for index in 0..<8 { bytes[leaves[leaves.count / 2] + index] = 0xFF }
      try Data(bytes).write(to: URL(fileURLWithPath: path))

      let damaged = try SQLiteObjectStore(path: path)
      let server = try await server(damaged)
      let apart = server.objectsSetApart
      #expect(apart.count == 1 && apart.first?.reason.contains("page") == true, "\(apart)")
      let left = try await server.client().list(.configMaps, namespace: "demo").items.count
      #expect(left >= 200 - 2 * (200 / leaves.count + 2) && left < 200, "\(left) of 200, \(leaves.count) leaves")
      #expect(try await server.client().get(.namespaces, name: "demo").name == "demo")
    }
  }

  @Test func `nothing is collected because its owner is only set apart`() async throws {
    try await withStore { _, store in
      let client = try await server(store).client()
      try await client.create(KubernetesObject(.namespaces, name: "demo"), as: .namespaces)
      for (owner, dependent) in [("kept-owner", "a-dependent"), ("gone-owner", "b-dependent")] {
        let made = try await client.create(
          KubernetesObject(.configMaps, namespace: "demo", name: owner), as: .configMaps)
        var map = KubernetesObject(.configMaps, namespace: "demo", name: dependent)
        map.ownerReferences = [OwnerReference(to: made, isController: false, blocksOwnerDeletion: false)]
        try await client.create(map, as: .configMaps)
      }
      let gone = try await client.get(.configMaps, namespace: "demo", name: "gone-owner")
      #expect(
        try await store.repair(StoreKey(resource: "configmaps", namespace: "demo", name: "kept-owner"), value: [0]))
      let server = try await server(store)
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await server.run() }
        defer { group.cancelAll() }
        let client = server.client()
        try await client.delete(.configMaps, namespace: "demo", name: "gone-owner", uid: gone.uid)
        // The dependents were looked at in order: when the second one is gone, the first was judged.
        try await eventually("the dependent of the deleted owner is gone") {
          try await client.getIfPresent(.configMaps, namespace: "demo", name: "b-dependent") == nil
        }
        #expect(try await client.get(.configMaps, namespace: "demo", name: "a-dependent").name == "a-dependent")
      }
    }
  }
}
