import APIServer
import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import ObjectStore
import TestSupport
import Testing

/// Floods, junk and greed against the API's front and its audit log.
@Suite(.serialized) struct FrontAttacks {
  private static let opening = HTTP2Bytes.preface + HTTP2Bytes.settings()
  private static let request = HTTP2Bytes.request(1, path: "/healthz")

  private static func many(_ count: Int, _ bytes: (UInt32) -> [UInt8]) -> [UInt8] {
    (0..<UInt32(count)).flatMap(bytes)
  }

  /// Bytes of one HTTP/2 connection of somebody whom nobody knows.
  private static let floods: [(way: String, bytes: [UInt8])] = [
    (
      "rapid reset (CVE-2023-44487)",
      many(5000) { HTTP2Bytes.request(2 * $0 + 1, path: "/healthz") + HTTP2Bytes.reset(2 * $0 + 1) }
    ),
    (
      "CONTINUATION flood",
      HTTP2Bytes.frame(1, stream: 1, HTTP2Bytes.block(path: "/healthz"))
        + many(50_000) { _ in HTTP2Bytes.frame(9, stream: 1, [0, 1, 97, 1, 98]) }
    ),
    (
      "empty CONTINUATION flood", HTTP2Bytes.frame(1, stream: 1) + many(100_000) { _ in HTTP2Bytes.frame(9, stream: 1) }
    ),
    ("PING flood", request + many(100_000) { _ in HTTP2Bytes.frame(6, [1, 2, 3, 4, 5, 6, 7, 8]) }),
    ("SETTINGS flood", request + many(100_000) { _ in HTTP2Bytes.settings([(3, 100)]) }),
    ("WINDOW_UPDATE flood", request + many(30_000) { _ in HTTP2Bytes.frame(8, HTTP2Bytes.word(1)) }),
    ("PRIORITY flood", many(100_000) { HTTP2Bytes.frame(2, stream: 2 * $0 + 1, [0, 0, 0, 0, 16]) }),
    (
      "empty DATA flood",
      HTTP2Bytes.request(1, method: "POST", path: "/a", ends: false)
        + many(100_000) { _ in HTTP2Bytes.frame(0, stream: 1) }
    ),
    (
      "more streams than are allowed",
      many(2000) { HTTP2Bytes.request(2 * $0 + 1, method: "POST", path: "/a", ends: false) }
    ),
    (
      "a header list of 1 MB",
      HTTP2Bytes.request(1, path: "/a", fields: [("x", String(repeating: "y", count: 1 << 20))])
    ),
    (
      "a header table entry named 40,000 times",
      HTTP2Bytes.headers(
        1,
        HTTP2Bytes.block(path: "/a") + [0x40, 1, 97, 127, 0x80 | 0x21, 30] + [UInt8](repeating: 98, count: 4000)
          + [UInt8](repeating: 0xBE, count: 40_000))
    ),
    ("the acknowledgement before the settings", HTTP2Bytes.acknowledgement + request),
    ("acknowledgements without end", many(100_000) { _ in HTTP2Bytes.acknowledgement }),
    ("windows beyond numbers", request + many(10) { _ in HTTP2Bytes.frame(8, HTTP2Bytes.word(0x7FFF_FFFF)) }),
    ("goodbye, and requests behind it", HTTP2Bytes.frame(7, HTTP2Bytes.word(0) + HTTP2Bytes.word(0)) + request),
    ("data on a stream that is none", HTTP2Bytes.frame(0, stream: 99, [1]) + request),
    ("frames of an unknown kind", many(30_000) { _ in HTTP2Bytes.frame(0xEE, stream: 1, [1, 2, 3]) } + request),
    ("headers that never end", HTTP2Bytes.frame(1, stream: 1, HTTP2Bytes.block(path: "/healthz"))),
    (
      "rapid reset without an error",
      many(2000) { HTTP2Bytes.request(2 * $0 + 1, path: "/healthz") + HTTP2Bytes.reset(2 * $0 + 1, code: 0) }
    ),
    (
      "rapid reset of half a body",
      many(2000) {
        HTTP2Bytes.request(2 * $0 + 1, method: "POST", path: "/a", ends: false)
          + HTTP2Bytes.frame(0, stream: 2 * $0 + 1, [1]) + HTTP2Bytes.reset(2 * $0 + 1)
      }
    ),
    // Streams that the server has to reset (CVE-2025-8671).
    (
      "windows that grow by nothing",
      many(2000) { HTTP2Bytes.request(2 * $0 + 1, path: "/healthz") + HTTP2Bytes.windowUpdate(2 * $0 + 1, by: 0) }
    ),
    (
      "data after the end",
      many(2000) { HTTP2Bytes.request(2 * $0 + 1, path: "/healthz") + HTTP2Bytes.frame(0, stream: 2 * $0 + 1, [1]) }
    ),
    ("heads without a path", many(2000) { HTTP2Bytes.headers(2 * $0 + 1, [0x82, 0x87]) }),
    ("WINDOW_UPDATE flood of a stream", request + many(30_000) { _ in HTTP2Bytes.windowUpdate(1, by: 1) }),
    ("answers to no PING", many(30_000) { _ in HTTP2Bytes.frame(6, flags: 1, [1, 2, 3, 4, 5, 6, 7, 8]) }),
    ("GOAWAY flood", many(30_000) { _ in HTTP2Bytes.goAway() }),
    ("RST_STREAM flood of one stream", request + many(30_000) { _ in HTTP2Bytes.reset(1) }),
    (
      "DATA of one byte",
      HTTP2Bytes.request(1, method: "POST", path: "/a", ends: false)
        + many(30_000) { _ in HTTP2Bytes.frame(0, stream: 1, [1]) }
    ),
    (
      "DATA of nothing but padding",
      HTTP2Bytes.request(1, method: "POST", path: "/a", ends: false)
        + many(30_000) { _ in HTTP2Bytes.frame(0, flags: 8, stream: 1, [8, 0, 0, 0, 0, 0, 0, 0, 0]) }
    ),
    ("changes of the header table's size", HTTP2Bytes.headers(1, [UInt8](repeating: 0x20, count: 300_000))),
    ("a header table of 2 GB", HTTP2Bytes.headers(1, [0x3F, 0xFF, 0xFF, 0xFF, 0xFF, 7])),
    ("a string of 4 GB", HTTP2Bytes.headers(1, [0, 127, 0x80, 0xFF, 0xFF, 0xFF, 0x0F])),
    ("a frame of 16 MiB", [0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 1] + [UInt8](repeating: 0, count: 1 << 20)),
    (
      "trailers of 1 MB",
      HTTP2Bytes.request(1, method: "POST", path: "/a", ends: false)
        + HTTP2Bytes.headers(1, [0, 1, 120, 127, 0x81, 0xFF, 0x3F] + [UInt8](repeating: 121, count: 1 << 20))
    ),
    (
      "trailers again and again",
      HTTP2Bytes.request(1, method: "POST", path: "/a", ends: false)
        + many(10_000) { _ in HTTP2Bytes.headers(1, [0, 1, 120, 1, 121], ends: false) }
    ),
  ]

  @Test(arguments: HTTP2Bytes.malformedRequests(on: 3))
  func aMalformedRequestEndsItselfAlone(what: String, bytes: [UInt8]) async throws {
    try await FrontHarness.with(MirrorHandler()) { harness in
      let client = try await RawTLSClient(
        port: harness.port,
        first: Self.opening + HTTP2Bytes.request(1, method: "POST", path: "/under-way", ends: false) + bytes)
      try await eventually("\(what): the reset") { client.frames.contains { $0.type == 3 && $0.stream == 3 } }
      #expect(HTTP2Bytes.status(in: client.received, of: 3) == nil)
      client.send(HTTP2Bytes.request(5, path: "/later") + HTTP2Bytes.frame(0, flags: 1, stream: 1, Array("{}".utf8)))
      try await eventually("\(what): the other answers") {
        [1, 5].allSatisfy { stream in
          client.frames.contains { $0.type == 0 && $0.stream == stream && $0.flags & 1 == 1 }
        }
      }
      #expect(!client.isClosed)
      client.close()
    }
  }

  private static func memory() -> Int {
    let pages = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
    return (pages.flatMap { $0.count > 1 ? Int($0[1]) : nil } ?? 0) * 4096
  }

  @Test(.timeLimit(.minutes(10))) func nobodyKnownFloodsAConnection() async throws {
    var limits = HTTPSFront.Limits()
    // What a machine bears that works on other things, without the compiler's optimizations.
    limits.framesPerSecond = 2000
    try await FrontHarness.with(MirrorHandler(), limits: limits) { harness in
      for (way, bytes) in Self.floods {
        let held = try await attempt(Attack(.outsider, way, on: .platformProcess)) {
          let before = Self.memory()
          let clients = try await withThrowingTaskGroup(of: RawTLSClient.self) { group in
            for _ in 0..<4 {
              group.addTask { try await RawTLSClient(port: harness.port, first: Self.opening + bytes) }
            }
            return try await group.reduce(into: [RawTLSClient]()) { $0.append($1) }
          }
          // Others are answered while it goes on.
          let other = try await RawTLSClient(
            port: harness.port, first: Self.opening + HTTP2Bytes.request(1, path: "/healthz"))
          try await eventually("another's answer") { other.body(of: 1).contains(#""path":"/healthz""#) }
          let grown = Self.memory() - before
          for client in clients + [other] { client.close() }
          return .check(grown < 256 << 20, "another client was answered; \(grown >> 20) MiB more")
        }
        #expect(held)
      }
      #expect(await eventually { harness.front.counts.connections == 0 })
    }
  }

  /// As many connections as there may be, that ask for nothing.
  @Test(.timeLimit(.minutes(15)), arguments: [true, false]) func idleConnectionsKeepNobodyOut(withTLS: Bool)
    async throws
  {
    var limits = HTTPSFront.Limits()
    limits.connections = 64
    try await FrontHarness.with(MirrorHandler(), limits: limits) { harness in
      let held = try await attempt(
        Attack(.outsider, withTLS ? "idle connections" : "connections without a handshake", on: .fairShare)
      ) {
        var idle: [RawTLSClient] = []
        for _ in 0..<200 {
          idle.append(
            try await RawTLSClient(
              port: harness.port, application: withTLS ? "h2" : nil, first: withTLS ? Self.opening : []))
        }
        let answer = try await harness.curl("/healthz", [])
        for client in idle { client.close() }
        return .check(answer.status == 200, "status \(answer.status)")
      }
      #expect(held)
    }
  }

  @Test(.timeLimit(.minutes(15))) func whoTakesNothingHoldsNoMemory() async throws {
    var limits = HTTPSFront.Limits()
    // Longer than the test: here it is memory that has to hold, not the patience with who takes nothing.
    limits.stallTimeout = .seconds(600)
    // A busy machine is no attack.
    limits.handshakeTimeout = .seconds(600)
    try await FrontHarness.with(MirrorHandler(), limits: limits) { harness in
      let held = try await attempt(Attack(.viewer, "streams that are not read", on: .nodeMemory)) {
        let before = Self.memory()
        let fields = [("authorization", "Bearer dev-token")]
        let client = try await RawTLSClient(
          port: harness.port, reads: false,
          first: Self.opening + HTTP2Bytes.frame(8, HTTP2Bytes.word(0x7FFF_0000))
            + Self.many(100) { HTTP2Bytes.request(2 * $0 + 1, path: "/endless", fields: fields) })
        try await eventually("100 streams are open") { harness.front.counts.streams == 100 }
        let answer = try await harness.curl("/healthz", [])
        let grown = Self.memory() - before
        client.close()
        return .check(answer.status == 200 && grown < 256 << 20, "status \(answer.status), \(grown >> 20) MiB more")
      }
      #expect(held)
      #expect(await eventually { harness.front.counts.streams == 0 })
    }
  }

  // MARK: Shares

  /// One who does nothing else, by kind.
  private static let greed: [(way: String, request: APIRequest, count: Int)] = [
    ("lists of everything", APIRequest(.get, "/api/v1/configmaps"), 400),
    (
      "writes",
      APIRequest(
        .post, "/api/v1/namespaces/default/configmaps", body: Array(#"{"metadata":{"generateName":"a-"}}"#.utf8)), 1000
    ),
    (
      "access reviews",
      APIRequest(
        .post, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        body: Array(#"{"spec":{"resourceAttributes":{"verb":"get","resource":"pods"}}}"#.utf8)), 1000
    ),
    ("watches", APIRequest(.get, "/api/v1/configmaps", query: [("watch", "1")]), 1000),
  ]

  @Test(.timeLimit(.minutes(15))) func oneUsersFloodIsBoundedAndOthersAreServed() async throws {
    for (way, request, count) in Self.greed {
      let held = try await attempt(Attack(.editor, "a flood of \(way)", on: .fairShare)) {
        let server = try await APIServer(
          store: MemoryObjectStore(), registry: .standard,
          virtualResources: { _, authorizer in [AccessReviews(authorizer: authorizer)] }, logger: Logger(label: "test"))
        try await server.client().create(KubernetesObject(.namespaces, name: "default"), as: .namespaces)
        let refused = await withTaskGroup(of: APIResponse.self) { group in
          for _ in 0..<count {
            group.addTask {
              var request = request
              if !request.body.isEmpty { request.contentType = "application/json" }
              return await server.respond(to: request, from: UserInfo(name: "greedy"))
            }
          }
          var kept: [APIResponse] = []
          for await response in group { kept.append(response) }
          // Another is served while all of that is held.
          let other = await server.respond(
            to: APIRequest(.get, "/api/v1/namespaces/default"), from: UserInfo(name: "other"))
          return (other.status, kept.filter { $0.status == 429 }.count, server.counters.lastingRequests)
        }
        let counters = server.counters
        return .check(
          refused.0 == 200 && refused.2 <= 200 && counters.seatsHeld <= 16 && counters.requestsWaiting == 0,
          "another: \(refused.0); refused \(refused.1) of \(count), \(refused.2) watches open")
      }
      #expect(held)
    }
  }

  // MARK: Audit

  private static let evasions: [(way: String, head: String)] = [
    ("a line end in the path", "GET /api/v1/secrets%0a%7B%22kind%22:%22Event%22%7D HTTP/1.1\r\nHost: x\r\n"),
    ("a line end in a parameter", "GET /api/v1/secrets?a=%0d%0aforged HTTP/1.1\r\nHost: x\r\n"),
    ("quotes in the user agent", "GET /api/v1/secrets HTTP/1.1\r\nHost: x\r\nUser-Agent: \"},{\"forged\":\"1\r\n"),
    (
      "a user agent of 60 KB",
      "GET /api/v1/secrets HTTP/1.1\r\nHost: x\r\nUser-Agent: \(String(repeating: "a", count: 60_000))\r\n"
    ),
    ("somebody else's name", "GET /api/v1/secrets HTTP/1.1\r\nHost: x\r\nImpersonate-User: admin\r\n"),
    ("a forwarded address", "GET /api/v1/secrets HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.9\r\n"),
    ("an Audit-ID of its own", "GET /api/v1/secrets HTTP/1.1\r\nHost: x\r\nAudit-ID: mine\r\n"),
    ("a token in the query", "GET /api/v1/secrets?access_token=geheim HTTP/1.1\r\nHost: x\r\n"),
    ("doubled slashes", "GET //api//v1//secrets HTTP/1.1\r\nHost: x\r\n"),
  ]

  @Test(.timeLimit(.minutes(15))) func whatIsDoneIsNotedUnderItsName() async throws {
    let path = "/tmp/nagaya-audit-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let audit = AuditLog(path: path, logger: Logger(label: "test.audit"))
    let server = try await APIServer.inMemory(authorizer: { RBACAuthorizer(objects: $0) })
    try await FrontHarness.with(server, objects: server, audit: audit) { harness in
      for (way, head) in Self.evasions {
        let held = try await attempt(Attack(.editor, "\(way), to be missed by the audit log", on: .platformRights)) {
          let before = audit.counts.written
          let client = try await RawTLSClient(
            port: harness.port, application: "http/1.1",
            first: Array("\(head)Authorization: Bearer dev-token\r\nConnection: close\r\n\r\n".utf8))
          try await eventually("an answer") { client.isClosed }
          let answer = String(decoding: client.received, as: UTF8.self)
          // What is refused as no request is no deed.
          if answer.hasPrefix("HTTP/1.1 400") { return .held("refused") }
          try await eventually("noted") { audit.counts.written > before }
          let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
          guard let last = lines.last, let event = try? JSONValue(parsing: Array(last.utf8)) else {
            return .through("no line")
          }
          let isRight =
            lines.count == audit.counts.written && event["user"]["username"] == "dev"
            && event["sourceIPs"] == ["127.0.0.1"]
            && event["auditID"] != "mine" && event["forged"].isNull && !last.contains("geheim")
            && last.utf8.count < 4096
          return .check(isRight, String(last))
        }
        #expect(held)
      }
    }
  }
}
