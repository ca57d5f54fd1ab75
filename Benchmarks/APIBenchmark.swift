import APIServer
import ArgumentParser
import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import ObjectStore
import PlatformHarness

/// The API server in this process over a SQLite store on disk: writes, lists, watches, memory.
struct APIBenchmark: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "api",
    abstract: "Creates with fsync beside etcd, a list of 10,000 pods, 1,000 watchers, memory per object.")

  @Option(help: "Objects that are created for the memory figure.")
  var objects = 50_000

  @Option(help: "Watchers of the fan-out.")
  var watchers = 1000

  @Option(help: "Events of the fan-out.")
  var events = 1000

  func run() async throws {
    let directory = "/tmp/nagaya-api-benchmark-\(UInt32.random(in: 0..<1 << 24))"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    var logger = Logger(label: "benchmarks")
    logger.logLevel = .error
    let server = try await APIServer(
      store: SQLiteObjectStore(path: "\(directory)/objects.sqlite"), registry: .standard, logger: logger)
    let client = server.client()
    for name in ["kube-system", "bench", "secure", "pods", "watched"] {
      try await client.create(KubernetesObject(.namespaces, name: name), as: .namespaces)
    }

    var table = TextTable("what", "ours", "peer", "ratio", "counters")
    let creates = try await CreateBenchmark(objects: objects, directory: directory).measure(
      server, client, table: &table)
    let list = try await measureList(server, client, table: &table)
    let fanOut = try await measureWatch(server, client, table: &table)
    table.show()
    Figure.show([creates.rate, list, fanOut, creates.memory] + creates.others)
  }

  private static func pod(_ index: Int) -> KubernetesObject {
    var pod = KubernetesObject(.pods, namespace: "pods", name: "pod-\(index)", labels: ["app": "web-\(index % 50)"])
    pod.spec["containers"] = .array(
      (0..<2).map { container in
        [
          "name": .string("c\(container)"), "image": "registry.example.com/team/application:1.2.3",
          "env": .array((0..<12).map { ["name": .string("SETTING_\($0)"), "value": "some value of a usual length"] }),
          "resources": ["requests": ["cpu": "100m", "memory": "128Mi"], "limits": ["cpu": "1", "memory": "256Mi"]],
          "ports": [["containerPort": 8080]],
        ]
      })
    return pod
  }

  private func measureList(_ server: APIServer, _ client: KubernetesClient, table: inout TextTable) async throws
    -> Figure
  {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 0..<64 {
        group.addTask {
          for index in stride(from: writer, to: 10_000, by: 64) {
            try await client.create(Self.pod(index), as: .pods)
          }
        }
      }
      try await group.waitForAll()
    }
    var milliseconds: [Double] = []
    var bytes = 0
    for _ in 0..<20 {
      let start = ContinuousClock.now
      bytes = 0
      let response = try await client.send(APIRequest(.get, Resource.pods.path()))
      if case .stream(let stream) = response.body { for try await chunk in stream { bytes += chunk.count } }
      if case .bytes(let whole) = response.body { bytes = whole.count }
      milliseconds.append((ContinuousClock.now - start).seconds * 1000)
    }
    table.add(
      "list of 10,000 pods, all bytes read", "\(Int(milliseconds.percentile(0.5))) ms", "", "",
      "\(bytes / 1_000_000) MB")
    return Figure(name: "api.list_10000", value: milliseconds.percentile(0.5), unit: "ms", digits: 1)
  }

  private func measureWatch(_ server: APIServer, _ client: KubernetesClient, table: inout TextTable) async throws
    -> Figure
  {
    let before = server.counters
    var object = try await client.create(CreateBenchmark.configMap(0, namespace: "watched"), as: .configMaps)
    let version = object.resourceVersion
    let events = self.events
    let start = ContinuousClock.now
    let delivered = try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<watchers {
        let response = try await client.send(
          APIRequest(
            .get, Resource.configMaps.path(namespace: "watched"),
            query: [("watch", "true"), ("resourceVersion", version)]))
        group.addTask {
          guard case .stream(let stream) = response.body else { return 0 }
          var count = 0
          for try await chunk in stream {
            for byte in chunk where byte == UInt8(ascii: "\n") { count += 1 }
            if count >= events { break }
          }
          return count
        }
      }
      for index in 0..<events {
        object["data"]["count"] = .string(String(index))
        object = try await client.update(object, as: .configMaps)
      }
      var sum = 0
      for try await count in group { sum += count }
      return sum
    }
    let seconds = (ContinuousClock.now - start).seconds
    let encoded = server.counters.eventsEncoded - before.eventsEncoded
    table.add(
      "\(watchers) watchers x \(events) events of 4 KB", "\(Int(Double(delivered) / seconds)) events/s", "", "",
      "\(delivered) delivered, \(encoded) encoded")
    return Figure(name: "api.watch_events_per_second", value: Double(delivered) / seconds, unit: "1/s", digits: 0)
  }
}
