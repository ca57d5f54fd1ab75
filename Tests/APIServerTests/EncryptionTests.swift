import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import ObjectStore
import TestSupport
import Testing

@testable import APIServer

/// Secrets in the store's file, as who reads or writes the file sees them.
@Suite("Attacks on stored secrets") struct StoredSecretAttacks {
  private static let quiet = Logger(label: "encryption") { _ in SwiftLogNoOpLogHandler() }
  private static let needle = "correct-horse-battery"

  private func with(_ body: (String, String) async throws -> Void) async throws {
    let directory = "/tmp/nagaya-sealed-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try await body("\(directory)/objects.sqlite", "\(directory)/keys")
  }

  private func server(_ store: any ObjectStoring) async throws -> APIServer {
    try await APIServer(store: store, registry: .standard, logger: Self.quiet)
  }

  private func fill(_ store: any ObjectStoring) async throws {
    let client = try await server(store).client()
    try await client.create(KubernetesObject(.namespaces, name: "demo"), as: .namespaces)
    for name in ["one", "two"] {
      var secret = KubernetesObject(.secrets, namespace: "demo", name: name)
      secret["data"] = ["password": .string(Base64.encode("\(Self.needle)-\(name)".utf8))]
      try await client.create(secret, as: .secrets)
      var map = KubernetesObject(.configMaps, namespace: "demo", name: name)
      map["data"] = ["open": "readable"]
      try await client.create(map, as: .configMaps)
    }
  }

  /// Everything on the disk: the file and its log.
  private func disk(_ path: String) -> String {
    [path, "\(path)-wal"].compactMap { FileManager.default.contents(atPath: $0) }
      .map { String(decoding: $0, as: UTF8.self) }.joined()
  }

  private var sealedText: String { String(Base64.encode(Self.needle.utf8).dropLast(4)) }

  private func expectHeld(_ way: String, _ outcome: AttackOutcome) async throws {
    let held = try await attempt(Attack(.component, way, on: .platformStore)) { outcome }
    #expect(held)
  }

  @Test func `secrets do not stand in the file or its log, and come back whole`() async throws {
    try await with { path, keyPath in
      let keys = try EncryptionKeys.loadOrCreate(path: keyPath)
      #expect(try FileManager.default.attributesOfItem(atPath: keyPath)[.posixPermissions] as? Int == 0o600)
      let base = try SQLiteObjectStore(path: path)
      try await fill(EncryptingObjectStore(base, keys: keys))
      let text = disk(path)
      #expect(text.contains("readable"))
      try await expectHeld("reads secrets in the store's file", .check(!text.contains(sealedText), "sealed"))
      let again = try await server(EncryptingObjectStore(base, keys: try .loadOrCreate(path: keyPath)))
      let secret = try await again.client().get(.secrets, namespace: "demo", name: "one")
      #expect(secret["data"]["password"].string == Base64.encode("\(Self.needle)-one".utf8))
    }
  }

  @Test func `a store from before is sealed at once, and nothing of it is left`() async throws {
    try await with { path, keyPath in
      let base = try SQLiteObjectStore(path: path)
      try await fill(base)
      #expect(disk(path).contains(sealedText))
      let store = EncryptingObjectStore(base, keys: try .loadOrCreate(path: keyPath))
      #expect(try await store.rewrite() == 2)
      #expect(try await store.rewrite() == 0)
      try await expectHeld(
        "reads old secrets in free pages and the log", .check(!disk(path).contains(sealedText), "erased"))
    }
  }

  @Test func `a rotation leaves nothing to the old key, and can be cut short`() async throws {
    try await with { path, keyPath in
      let old = try EncryptionKeys.loadOrCreate(path: keyPath)
      let base = try SQLiteObjectStore(path: path)
      try await fill(EncryptingObjectStore(base, keys: old))
      let both = old.withNewFirst()
      try both.write(to: keyPath)
      // Cut short here, both keys open everything; the next start goes on.
      let read = try EncryptionKeys.loadOrCreate(path: keyPath)
      #expect(read.keys.map(\.name) == both.keys.map(\.name))
      let store = EncryptingObjectStore(base, keys: read)
      #expect(try await server(store).objectsSetApart.isEmpty)
      #expect(try await store.oldKeysInUse() == [old.first.name])
      #expect(try await store.rewrite() == 2)
      #expect(try await store.oldKeysInUse().isEmpty)
      let new = read.keeping([])
      #expect(try await server(EncryptingObjectStore(base, keys: new)).objectsSetApart.isEmpty)
      let opened = try await server(EncryptingObjectStore(base, keys: old)).objectsSetApart.count
      try await expectHeld("reads rotated secrets with the old key", .check(opened == 2, "\(opened) set apart"))
    }
  }

  static let ways = ["moved to another name", "one bit turned", "cut off", "a missing key", "another key of the name"]

  @Test(arguments: ways) func `what is not as it was sealed is set apart, and the start goes on`(way: String)
    async throws
  {
    try await with { path, keyPath in
      var keys = try EncryptionKeys.loadOrCreate(path: keyPath)
      let base = try SQLiteObjectStore(path: path)
      try await fill(EncryptingObjectStore(base, keys: keys))
      let stored = try await base.salvage(resource: "secrets").objects
      var value = stored[0].value
      switch way {
      case "moved to another name": value = stored[1].value
      case "one bit turned": value[value.count / 2] ^= 1
      case "cut off": value.removeLast(20)
      case "a missing key":
        try FileManager.default.removeItem(atPath: keyPath)
        keys = try .loadOrCreate(path: keyPath)
      default:
        let other = try #require(EncryptionKeys.Key(name: keys.first.name, secret: [UInt8](repeating: 7, count: 32)))
        keys = EncryptionKeys(first: other)
      }
      _ = try await base.repair(stored[0].key, value: value)
      let store = EncryptingObjectStore(base, keys: keys)
      _ = try await store.rewrite()
      let server = try await server(store)
      let apart = server.objectsSetApart
      #expect(apart.contains { $0.key == stored[0].key && $0.reason.contains("encrypted") }, "\(apart)")
      let names = try await server.client().list(.secrets, namespace: "demo").items.map(\.name)
      try await expectHeld("a sealed secret, \(way)", .check(!names.contains("one"), "\(names)"))
      #expect(try await server.client().list(.configMaps, namespace: "demo").items.count == 2)
      #expect(try await base.salvage(resource: "secrets").objects[0].value == value, "it is kept for its repair")
    }
  }
}
