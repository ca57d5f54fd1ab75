import APIServer
import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import ObjectStore
import Testing

@Suite struct ConcurrencyTests {
  /// Many writers, some watchers: every acknowledged write is in the list and in the file, versions only grow, and
  /// every watcher can rebuild the final state from its events.
  @Test(.timeLimit(.minutes(15))) func nothingAcknowledgedIsLostAndWatchersSeeAllOfIt() async throws {
    let directory = "/tmp/nagaya-apiserver-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let store = try SQLiteObjectStore(path: directory + "/objects.sqlite")
    let server = try await APIServer(store: store, registry: SmallRegistry.registry, logger: quiet)
    let client = server.client()
    try await client.create(KubernetesObject(.namespaces, name: "default"), as: .namespaces)
    let start = try await client.list(.configMaps).resourceVersion
    let last = "last"

    let (acknowledged, watched) = try await withThrowingTaskGroup(
      of: (isWatcher: Bool, versions: [String: UInt64]).self
    ) { group in
      for _ in 0..<4 {
        let events = try await client.watch(.configMaps, from: start)
        group.addTask {
          var state: [String: UInt64] = [:]
          var newest: UInt64 = 0
          for try await event in events {
            let object: KubernetesObject
            switch event {
            case .added(let added):
              object = added
              #expect(state[added.name] == nil)
              state[added.name] = UInt64(added.resourceVersion)
            case .modified(let modified):
              object = modified
              #expect(state[modified.name] != nil)
              state[modified.name] = UInt64(modified.resourceVersion)
            case .deleted(let deleted):
              object = deleted
              #expect(state.removeValue(forKey: deleted.name) != nil)
            case .bookmark: continue
            }
            let version = try #require(UInt64(object.resourceVersion))
            #expect(version > newest)
            newest = version
            if object.name == last { return (true, state) }
          }
          return (true, state)
        }
      }
      for writer in 0..<16 {
        group.addTask {
          var mine: [String: UInt64] = [:]
          for index in 0..<40 {
            let name = "w\(writer)-\(index % 10)"
            do {
              if mine[name] == nil {
                let made = try await client.create(configMap(name, ["i": "\(index)"]), as: .configMaps)
                mine[name] = UInt64(made.resourceVersion)
              } else if index % 7 == 0 {
                try await client.delete(.configMaps, namespace: "default", name: name)
                mine[name] = nil
              } else {
                let changed = try await client.patch(
                  .configMaps, namespace: "default", name: name, ["data": ["i": "\(index)"]])
                let version = try #require(UInt64(changed.resourceVersion))
                #expect(version > mine[name] ?? 0)
                mine[name] = version
              }
              // One object that everybody writes: patches are repeated until they hold.
              if index % 10 == 0 {
                try await client.patch(.nodes, name: "shared", ["metadata": ["labels": ["w\(writer)-\(index)": "x"]]])
              }
            } catch let status as APIStatus where status.isNotFound {
              _ = try? await client.create(KubernetesObject(.nodes, name: "shared"), as: .nodes)
            }
          }
          return (false, mine)
        }
      }
      var acknowledged: [String: UInt64] = [:]
      var watched: [[String: UInt64]] = []
      var writers = 16
      for try await result in group {
        if result.isWatcher {
          watched.append(result.versions)
          continue
        }
        acknowledged.merge(result.versions, uniquingKeysWith: { $1 })
        writers -= 1
        if writers == 0 {
          let made = try await client.create(configMap(last), as: .configMaps)
          acknowledged[last] = UInt64(made.resourceVersion)
        }
      }
      return (acknowledged, watched)
    }

    func versions(_ client: KubernetesClient) async throws -> [String: UInt64] {
      Dictionary(
        uniqueKeysWithValues: try await client.list(.configMaps).items.map {
          ($0.name, UInt64($0.resourceVersion) ?? 0)
        })
    }
    #expect(try await versions(client) == acknowledged)
    #expect(watched.count == 4)
    for state in watched { #expect(state == acknowledged) }
    #expect(server.counters.commits < server.counters.writes, "waiting writes share commits")

    // The same after an end without a word: only the file is left.
    let again = try await APIServer(
      store: try SQLiteObjectStore(path: directory + "/objects.sqlite"), registry: SmallRegistry.registry, logger: quiet
    )
    #expect(try await versions(again.client()) == acknowledged)
    let before = try await client.list(.nodes)
    #expect(try await again.client().list(.nodes).items == before.items)
    let made = try await again.client().create(configMap("after"), as: .configMaps)
    #expect(UInt64(made.resourceVersion) ?? 0 > UInt64(before.resourceVersion) ?? 0)
    try store.close()
  }

  @Test func aFullDiskRefusesWritesAndReadsGoOn() async throws {
    let server = try await APIServer(
      store: MemoryObjectStore(maximumBytes: 3000), registry: SmallRegistry.registry, logger: quiet)
    let client = server.client()
    try await client.create(KubernetesObject(.namespaces, name: "default"), as: .namespaces)
    let made = try await client.create(configMap("a", ["k": "v"]), as: .configMaps)
    let status = await refusal {
      try await client.create(configMap("b", ["k": String(repeating: "v", count: 4000)]), as: .configMaps)
    }
    #expect(status?.code == 507)
    #expect(status?.message.contains("is full") == true)
    #expect(try await client.get(.configMaps, namespace: "default", name: "a") == made)
    #expect(try await client.list(.configMaps).items.count == 1)
    try await client.delete(.configMaps, namespace: "default", name: "a")
    try await client.create(configMap("c"), as: .configMaps)
  }
}
