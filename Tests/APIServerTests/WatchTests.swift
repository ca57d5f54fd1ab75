import JSONDocument
import KubernetesAPI
import KubernetesClient
import TestSupport
import Testing

@testable import APIServer

/// Reads the next lines of a watch.
private struct Events {
  private var iterator: ByteStream.AsyncIterator
  private var waiting: ArraySlice<[UInt8]> = []

  init(_ client: KubernetesClient, _ path: String, _ query: [(name: String, value: String)]) async throws {
    let response = try await client.send(APIRequest(.get, path, query: [("watch", "true")] + query))
    guard case .stream(let stream) = response.body else {
      throw APIStatus(
        .internalError, "no stream: \(String(decoding: try await response.body.collect(), as: UTF8.self))")
    }
    iterator = stream.makeAsyncIterator()
  }

  /// `ADDED one`, `BOOKMARK`, … ; `nil` at the end.
  mutating func next() async throws -> String? {
    guard let event = try await object() else { return nil }
    let name = event["object"]["metadata"]["name"].string
    return (event["type"].string ?? "") + (name.map { " \($0)" } ?? "")
  }

  mutating func object() async throws -> JSONValue? {
    // A chunk holds as many lines as were ready; an empty one says that the beginning is told.
    while waiting.isEmpty {
      guard let chunk = try await iterator.next() else { return nil }
      waiting = chunk.split(separator: UInt8(ascii: "\n")).map(Array.init)[...]
    }
    return try waiting.popFirst().map { try JSONValue(parsing: $0) }
  }
}

@Suite struct WatchTests {
  private let path = Resource.configMaps.path(namespace: "default")

  @Test func aWatchWithoutVersionBeginsWithWhatIsThere() async throws {
    try await withServer { _, client in
      try await client.create(configMap("a"), as: .configMaps)
      try await client.create(configMap("b"), as: .configMaps)
      for version in [[], [(name: "resourceVersion", value: "0")]] {
        var events = try await Events(client, path, version)
        #expect(try await events.next() == "ADDED a")
        #expect(try await events.next() == "ADDED b")
      }
    }
  }

  @Test func anObjectThatStopsMatchingIsDeletedForTheWatcher() async throws {
    try await withServer { _, client in
      let start = try await client.list(.configMaps).resourceVersion
      var events = try await Events(client, path, [("resourceVersion", start), ("labelSelector", "on=yes")])
      try await client.create(configMap("a", labels: ["on": "no"]), as: .configMaps)
      try await client.patch(.configMaps, namespace: "default", name: "a", ["metadata": ["labels": ["on": "yes"]]])
      try await client.patch(.configMaps, namespace: "default", name: "a", ["data": ["k": "v"]])
      let last = try await client.patch(
        .configMaps, namespace: "default", name: "a", ["metadata": ["labels": ["on": "no"]]])
      #expect(try await events.next() == "ADDED a")
      #expect(try await events.next() == "MODIFIED a")
      let deleted = try await events.object()
      #expect(deleted?["type"] == "DELETED")
      // Its last matching state, under the version that took it out of sight.
      #expect(deleted?["object"]["metadata"]["labels"]["on"] == "yes")
      #expect(deleted?["object"]["metadata"]["resourceVersion"].string == last.resourceVersion)
      // The same from the history.
      var replay = try await Events(client, path, [("resourceVersion", start), ("labelSelector", "on=yes")])
      #expect(try await replay.next() == "ADDED a")
      #expect(try await replay.next() == "MODIFIED a")
      #expect(try await replay.object() == deleted)
    }
  }

  @Test func aWatchListMarksTheEndOfTheFirstObjects() async throws {
    try await withServer { _, client in
      try await client.create(configMap("a"), as: .configMaps)
      var events = try await Events(
        client, path,
        [
          ("sendInitialEvents", "true"), ("resourceVersionMatch", "NotOlderThan"), ("allowWatchBookmarks", "true"),
        ])
      #expect(try await events.next() == "ADDED a")
      let bookmark = try await events.object()
      #expect(bookmark?["type"] == "BOOKMARK")
      #expect(bookmark?["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"] == "true")
      #expect(bookmark?["object"]["kind"] == "ConfigMap")
      try await client.create(configMap("b"), as: .configMaps)
      #expect(try await events.next() == "ADDED b")
      let status = await refusal { _ = try await Events(client, path, [("sendInitialEvents", "true")]) }
      #expect(status?.code == 422)
    }
  }

  @Test func aVersionThatIsNoLongerKnownIsExpired() async throws {
    var configuration = APIServerConfiguration()
    configuration.historyBytes = 20_000
    try await withServer(configuration) { server, client in
      let start = try await client.list(.configMaps).resourceVersion
      for index in 0..<50 { try await client.create(configMap("n\(index)", ["k": "v"]), as: .configMaps) }
      #expect(server.counters.historyBytes <= 20_000)
      let status = await refusal {
        for try await _ in try await client.watch(.configMaps, from: start) {}
      }
      #expect(status?.isExpired == true)
      #expect(status?.code == 410)
      // Other kinds' watchers do not pay for this one's changes.
      _ = try await client.watch(.pods, from: start)
    }
  }

  @Test func anIdleWatcherGetsBookmarks() async throws {
    var configuration = APIServerConfiguration()
    configuration.bookmarkInterval = .milliseconds(50)
    try await withServer(configuration) { _, client in
      let start = try await client.list(.configMaps).resourceVersion
      let events = try await client.watch(.configMaps, from: start)
      let node = try await client.create(KubernetesObject(.nodes, name: "n"), as: .nodes)
      for try await event in events {
        guard case .bookmark(let version) = event else { continue }
        if version == node.resourceVersion { break }
      }
    }
  }

  @Test func aWatchEndsAfterItsTimeAndWithTheServer() async throws {
    try await withServer { server, client in
      var events = try await Events(client, path, [("timeoutSeconds", "1")])
      #expect(try await events.next() == nil)
      try await eventually("the watcher is forgotten") { server.counters.watchers == 0 }
    }
    let server = try await APIServer.inMemory(registry: SmallRegistry.registry, logger: quiet)
    try await server.client().create(KubernetesObject(.namespaces, name: "default"), as: .namespaces)
    var events = try await Events(server.client(), path, [])
    let running = Task { try await server.run() }
    running.cancel()
    try await running.value
    #expect(try await events.next() == nil)
  }

  @Test func aSlowWatcherIsEndedAndDelaysNobody() async throws {
    var configuration = APIServerConfiguration()
    configuration.watcherEvents = 5
    try await withServer(configuration) { server, client in
      let start = try await client.list(.configMaps).resourceVersion
      var slow = try await Events(client, path, [("resourceVersion", start)])
      for index in 0..<10 { try await client.create(configMap("n\(index)"), as: .configMaps) }
      #expect(try await slow.next() == nil)
      #expect(server.counters.slowWatchersEnded == 1)
      #expect(server.counters.watchers == 0)
    }
  }

  @Test func aWatcherThatIsGivenUpIsForgotten() async throws {
    try await withServer { server, client in
      do {
        let events = try await client.watch(.configMaps, from: try await client.list(.configMaps).resourceVersion)
        #expect(server.counters.watchers == 1)
        _ = events
      }
      #expect(server.counters.watchers == 0)
      let waiting = Task {
        for try await _ in try await client.watch(.configMaps, from: "0") {}
      }
      try await eventually("the watch begins") { server.counters.watchers == 1 }
      waiting.cancel()
      _ = await waiting.result
      #expect(server.counters.watchers == 0)
    }
  }

  @Test func anEventIsEncodedOnceForAllWatchers() async throws {
    try await withServer { server, client in
      let start = try await client.list(.configMaps).resourceVersion
      var watches: [Events] = []
      for _ in 0..<20 { watches.append(try await Events(client, path, [("resourceVersion", start)])) }
      try await client.create(configMap("a"), as: .configMaps)
      #expect(server.counters.eventsEncoded == 1)
      #expect(server.counters.eventsDelivered == 20)
      for index in watches.indices { #expect(try await watches[index].next() == "ADDED a") }
    }
  }
}
