import JSONDocument
import KubernetesAPI
import Locking
import Logging
import TestSupport
import Testing

@testable import KubernetesClient

/// A server of one kind that does what a test tells it: lists its objects, and passes events on.
final class ScriptedServer: APITransport, Sendable {
  private struct State {
    var objects: [String: Int] = [:]
    var version = 0
    var watch: AsyncStream<[UInt8]>.Continuation?
    var expired = false
    var lists = 0
    var watchVersions: [String] = []
  }

  private let state = Mutex(State())

  var lists: Int { state.withLock { $0.lists } }
  var watchVersions: [String] { state.withLock { $0.watchVersions } }
  var isWatched: Bool { state.withLock { $0.watch != nil } }

  func send(_ request: APIRequest) async throws -> APIResponse {
    if request.parameter("watch") != nil {
      let (stream, continuation) = AsyncStream<[UInt8]>.makeStream()
      let isExpired = state.withLock { state in
        state.watchVersions.append(request.parameter("resourceVersion") ?? "")
        if state.expired {
          state.expired = false
          return true
        }
        state.watch = continuation
        return false
      }
      if isExpired {
        return APIResponse(status: 410, body: .bytes(APIStatus(.expired, "too old").json.encoded()))
      }
      return APIResponse(status: 200, body: .stream(ByteStream(stream)))
    }
    // Two objects a page.
    let from = request.parameter("continue") ?? ""
    let list: JSONValue = state.withLock { state in
      if from.isEmpty { state.lists += 1 }
      let names = state.objects.keys.sorted().filter { $0 > from }
      var list: JSONValue = [
        "metadata": ["resourceVersion": .string(String(state.version))],
        "items": .array(names.prefix(2).map { Self.object($0, state.objects[$0] ?? 0) }),
      ]
      if names.count > 2 { list["metadata"]["continue"] = .string(names[1]) }
      return list
    }
    return APIResponse(status: 200, body: .bytes(list.encoded()))
  }

  /// Changes an object; the watch hears of it unless `silently`.
  func put(_ name: String, silently: Bool = false) {
    state.withLock { state in
      state.version += 1
      let type = state.objects.updateValue(state.version, forKey: name) == nil ? "ADDED" : "MODIFIED"
      if !silently { Self.send(type, Self.object(name, state.version), on: state.watch) }
    }
  }

  func remove(_ name: String, silently: Bool = false) {
    state.withLock { state in
      state.version += 1
      state.objects[name] = nil
      if !silently { Self.send("DELETED", Self.object(name, state.version), on: state.watch) }
    }
  }

  func bookmark() {
    state.withLock { state in
      state.version += 1
      Self.send("BOOKMARK", ["metadata": ["resourceVersion": .string(String(state.version))]], on: state.watch)
    }
  }

  /// Ends the watch; the next one begins normally, or is told that its version is expired.
  func endWatch(expired: Bool) {
    let watch = state.withLock { state in
      state.expired = expired
      defer { state.watch = nil }
      return state.watch
    }
    watch?.finish()
  }

  func sendExpiredEvent() {
    let watch = state.withLock { state in
      Self.send("ERROR", APIStatus(.expired, "too old").json, on: state.watch)
      defer { state.watch = nil }
      return state.watch
    }
    watch?.finish()
  }

  private static func object(_ name: String, _ version: Int) -> JSONValue {
    [
      "metadata": [
        "name": .string(name), "namespace": "n", "uid": .string("uid-\(name)"),
        "resourceVersion": .string(String(version)), "labels": ["first": .string(String(name.prefix(1)))],
      ]
    ]
  }

  private static func send(_ type: String, _ object: JSONValue, on watch: AsyncStream<[UInt8]>.Continuation?) {
    watch?.yield((["type": .string(type), "object": object] as JSONValue).encoded() + [UInt8(ascii: "\n")])
  }
}

@Suite(.timeLimit(.minutes(15)))
struct InformerTests {
  /// What handlers heard: `+a`, `~a`, `-a`.
  final class Heard: Sendable {
    private let log = Mutex<[String]>([])
    var all: [String] { log.withLock { $0 } }
    func note(_ event: InformerEvent) {
      let mark =
        switch event {
        case .added: "+"
        case .updated: "~"
        case .deleted: "-"
        }
      log.withLock { $0.append(mark + event.object.name) }
    }
  }

  private func run(
    _ server: ScriptedServer, _ body: @Sendable (Informer, Heard) async throws -> Void
  ) async throws {
    let index = CacheIndex("first") { [$0.labels["first"] ?? ""] }
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let informer = Informer(
      KubernetesClient(server, userAgent: "test"), .pods, indexes: [index], logger: logger)
    let heard = Heard()
    informer.onEvent { heard.note($0) }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await informer.run() }
      try await informer.waitUntilSynced()
      try await eventually("watched") { server.isWatched }
      try await body(informer, heard)
      group.cancelAll()
    }
  }

  @Test func itListsAllPagesAndFollowsChangesInOrder() async throws {
    let server = ScriptedServer()
    for name in ["a", "b", "c", "d", "e"] { server.put(name) }
    try await run(server) { informer, heard in
      #expect(informer.cache.count == 5)
      #expect(heard.all == ["+a", "+b", "+c", "+d", "+e"])
      server.put("f")
      server.put("a")
      server.remove("b")
      try await eventually("three events") { heard.all.count == 8 }
      #expect(heard.all.suffix(3) == ["+f", "~a", "-b"])
      #expect(informer.cache.get(namespace: "n", name: "a")?.resourceVersion == "7")
      #expect(informer.cache.get(namespace: "n", name: "b") == nil)
      #expect(server.lists == 1)
    }
  }

  @Test func itResumesAWatchFromTheLastVersionIncludingBookmarks() async throws {
    let server = ScriptedServer()
    server.put("a")
    try await run(server) { informer, heard in
      server.put("b")
      server.bookmark()
      try await eventually("the bookmark") { informer.counters.bookmarks == 1 }
      server.endWatch(expired: false)
      try await eventually("watched again") { server.isWatched }
      server.put("c")
      try await eventually("c") { heard.all.last == "+c" }
      #expect(server.watchVersions == ["1", "3"])
      #expect(server.lists == 1)
    }
  }

  @Test(arguments: [true, false])
  func itListsAnewWhenItsVersionIsExpiredAndTellsOnlyTheDifferences(byEvent: Bool) async throws {
    let server = ScriptedServer()
    for name in ["a", "b", "c"] { server.put(name) }
    try await run(server) { informer, heard in
      server.put("d", silently: true)
      server.put("b", silently: true)
      server.remove("c", silently: true)
      if byEvent { server.sendExpiredEvent() } else { server.endWatch(expired: true) }
      try await eventually("listed anew") { server.lists == 2 && server.isWatched }
      #expect(heard.all == ["+a", "+b", "+c", "~b", "+d", "-c"])
      #expect(informer.cache.keys.map(\.name).sorted() == ["a", "b", "d"])
    }
  }

  @Test func aHandlerThatJoinsLaterHearsOfAllThatIsThere() async throws {
    let server = ScriptedServer()
    server.put("a")
    server.put("b")
    try await run(server) { informer, _ in
      let late = Heard()
      informer.onEvent { late.note($0) }
      #expect(late.all == ["+a", "+b"])
      server.remove("a")
      try await eventually("the deletion") { late.all == ["+a", "+b", "-a"] }
    }
  }

  @Test func indexesFollowTheirObjects() async throws {
    let server = ScriptedServer()
    for name in ["a1", "a2", "b1"] { server.put(name) }
    try await run(server) { informer, _ in
      let index = CacheIndex("first") { _ in [] }
      #expect(informer.cache.list(by: index, "a").map(\.name) == ["a1", "a2"])
      server.remove("a1")
      try await eventually("gone") { informer.cache.count == 2 }
      #expect(informer.cache.list(by: index, "a").map(\.name) == ["a2"])
      #expect(informer.cache.keys(by: index, "c").isEmpty)
    }
  }

  @Test(arguments: 1...40)
  func waitsAfterFailuresStayWithinTheirBounds(failures: Int) {
    let wait = Informer.backoff(after: failures)
    #expect(wait >= .milliseconds(10))
    #expect(wait <= .seconds(30))
  }
}
