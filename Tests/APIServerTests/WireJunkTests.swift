import APIServer
import CertificateAuthority
import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Locking
import TestSupport
import Testing

/// What no client library sends: broken and ambiguous HTTP, clients that are slow or many.
@Suite struct WireJunkTests {
  /// Remembers the paths that it was asked for.
  final class Recorder: APIRequestHandling {
    private let seen = Mutex<[String]>([])
    var paths: [String] { seen.withLock { $0 } }
    func respond(to request: APIRequest, from user: UserInfo) async -> APIResponse {
      seen.withLock { $0.append(request.path) }
      return APIResponse(status: 200, body: .bytes(Array(#"{"bytes":\#(request.body.count)}"#.utf8)))
    }
  }

  private static let authorized = "Host: x\r\nAuthorization: Bearer dev-token\r\n"
  private static let smuggled = "GET /smuggled HTTP/1.1\r\n\(authorized)Connection: close\r\n\r\n"

  /// Bytes of an HTTP/1.1 connection; none of them may lead to a request for `/smuggled`.
  private static let junk: [(name: String, bytes: String)] = [
    ("noise", "\u{1}\u{2}\u{3}junk\r\n\r\n"), ("empty lines", String(repeating: "\r\n", count: 5000)),
    ("no version", "GET /\r\n\r\n"), ("version 9", "GET / HTTP/9.9\r\n\(authorized)\r\n"),
    ("HTTP/2 without ALPN", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\u{0}\u{0}\u{0}\u{4}\u{0}\u{0}\u{0}\u{0}\u{0}"),
    (
      "both lengths",
      "POST /a HTTP/1.1\r\n\(authorized)Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n\(smuggled)"
    ),
    (
      "two lengths",
      "POST /a HTTP/1.1\r\n\(authorized)Content-Length: 0\r\nContent-Length: \(smuggled.utf8.count)\r\n\r\n\(smuggled)"
    ),
    ("list of lengths", "POST /a HTTP/1.1\r\n\(authorized)Content-Length: 0, 5\r\n\r\n\(smuggled)"),
    ("negative length", "POST /a HTTP/1.1\r\n\(authorized)Content-Length: -1\r\n\r\n\(smuggled)"),
    ("signed length", "POST /a HTTP/1.1\r\n\(authorized)Content-Length: +0\r\n\r\n\(smuggled)"),
    (
      "length beyond numbers",
      "POST /a HTTP/1.1\r\n\(authorized)Content-Length: 99999999999999999999999\r\n\r\n\(smuggled)"
    ),
    ("space before colon", "POST /a HTTP/1.1\r\n\(authorized)Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n\(smuggled)"),
    (
      "folded header",
      "POST /a HTTP/1.1\r\n\(authorized)Transfer-Encoding:\r\n chunked\r\nContent-Length: 0\r\n\r\n\(smuggled)"
    ),
    ("unknown encoding", "POST /a HTTP/1.1\r\n\(authorized)Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n\(smuggled)"),
    (
      "encoding not last",
      "POST /a HTTP/1.1\r\n\(authorized)Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n\(smuggled)"
    ),
    ("bad chunk size", "POST /a HTTP/1.1\r\n\(authorized)Transfer-Encoding: chunked\r\n\r\nzz\r\n\(smuggled)"),
    (
      "chunk beyond numbers",
      "POST /a HTTP/1.1\r\n\(authorized)Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\n\(smuggled)"
    ),
    ("header without colon", "GET /a HTTP/1.1\r\n\(authorized)junk\r\n\r\n\(smuggled)"),
    ("zero byte in a header", "GET /a HTTP/1.1\r\n\(authorized)X-A: a\u{0}b\r\n\r\n\(smuggled)"),
    ("bare line feeds", "GET /a HTTP/1.1\nHost: x\nX: \r y\n\n\(smuggled)"),
    ("many headers", "GET /a HTTP/1.1\r\n" + (0..<5000).map { "X-\($0): y\r\n" }.joined() + "\r\n\(smuggled)"),
    ("whole address as target", "GET https://evil.test/a HTTP/1.1\r\n\(authorized)Connection: close\r\n\r\n"),
    ("authority as target", "CONNECT evil.test:443 HTTP/1.1\r\n\(authorized)Connection: close\r\n\r\n"),
    ("star as target", "OPTIONS * HTTP/1.1\r\n\(authorized)Connection: close\r\n\r\n"),
  ]

  /// Sends bytes over TLS; ends when the server has closed the connection.
  private func send(_ bytes: [UInt8], protocol name: String, _ harness: FrontHarness) async throws -> Command.Result {
    let path = "\(harness.directory)/junk-\(UUID().uuidString)"
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    return try await Command.run(
      "bash",
      [
        "-c",
        "timeout 20 openssl s_client -quiet -alpn \(name) -connect 127.0.0.1:\(harness.port) < '\(path)' 2>/dev/null",
      ])
  }

  @Test(.timeLimit(.minutes(15))) func junkIsRefusedNothingIsSmuggledAndTheServerLives() async throws {
    let recorder = Recorder()
    // What is no request yet, and none that is broken, may wait for its rest so long.
    var limits = HTTPSFront.Limits()
    limits.idleTimeout = .seconds(3)
    try await FrontHarness.with(recorder, limits: limits) { harness in
      for (name, text) in Self.junk {
        let result = try await send(Array(text.utf8), protocol: "http/1.1", harness)
        #expect(result.status != 124, "\(name): the connection stayed open")
        #expect(!recorder.paths.contains("/smuggled"), "\(name): \(result.output)")
        try await eventually("alive after \(name)") { try await harness.curl("/healthz", []).status == 200 }
      }
      let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
      for (name, bytes) in [
        ("nothing at all", []), ("a preface and nothing more", preface + [0, 0, 0, 4, 0, 0, 0, 0, 0]),
        ("no preface", Array("GET / HTTP/1.1\r\n\r\n".utf8)),
        ("noise after the preface", preface + [UInt8](repeating: 0xFF, count: 500)),
        ("headers on stream 0", preface + [0, 0, 0, 4, 0, 0, 0, 0, 0] + [0, 0, 1, 1, 5, 0, 0, 0, 0, 0x82]),
        ("a frame of 16 MiB", preface + [0, 0, 0, 4, 0, 0, 0, 0, 0] + [0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 1]),
        (
          "broken header block",
          preface + [0, 0, 0, 4, 0, 0, 0, 0, 0] + [0, 0, 4, 1, 5, 0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF]
        ),
      ] {
        let result = try await send(bytes, protocol: "h2", harness)
        #expect(result.status != 124, "\(name): the connection stayed open")
        try await eventually("alive after \(name)") { try await harness.curl("/healthz", ["--http2"]).status == 200 }
      }
      #expect(await eventually { harness.front.counts.connections == 0 })
      #expect(recorder.paths.allSatisfy { ["/healthz", "/a"].contains($0) }, "\(Set(recorder.paths))")
    }
  }

  @Test(.timeLimit(.minutes(15)), arguments: FrontTests.versions)
  func aBodyThatNeverEndsIsCutOff(version: String) async throws {
    var limits = HTTPSFront.Limits()
    limits.bodyTimeout = .milliseconds(500)
    // Over HTTP/2 the request ends and the connection stays; it is closed once it is idle, which it is without requests.
    limits.idleTimeout = .seconds(1)
    let recorder = Recorder()
    try await FrontHarness.with(recorder, limits: limits) { harness in
      let fifo = "\(harness.directory)/never"
      // A pipe that somebody holds open and nobody writes to.
      let slow = try Command.start(
        "bash",
        [
          "-c",
          "mkfifo '\(fifo)'; exec 5<>'\(fifo)'; printf abc >&5; exec curl -sS --max-time 30 --cacert '\(harness.authorityPath)' \(version) -H 'Authorization: Bearer dev-token' -X POST -T . '\(harness.url)/slow' <&5",
        ])
      #expect(await eventually { harness.front.counts.connections == 1 })
      #expect(await eventually { harness.front.counts.connections == 0 })
      slow.kill()
      _ = await slow.finished()
      #expect(!recorder.paths.contains("/slow"))
      #expect(try await harness.curl("/healthz", [version]).status == 200)
    }
  }

  @Test(.timeLimit(.minutes(15))) func connectionsBeyondTheLimitWaitForOthersToEnd() async throws {
    var limits = HTTPSFront.Limits()
    limits.connections = 20
    limits.handshakeTimeout = .seconds(2)
    try await FrontHarness.with(MirrorHandler(), limits: limits) { harness in
      let crowd = try Command.start(
        "bash",
        [
          "-c",
          "for i in $(seq 60); do exec {fd}<>/dev/tcp/127.0.0.1/\(harness.port); done; echo open; exec timeout 40 tail -f /dev/null",
        ])
      #expect(await eventually { crowd.output == "open\n" })
      #expect(await eventually { harness.front.counts.connections == 20 })
      // Silent connections are closed one after the other, and whoever has something to say gets through.
      let answer = try await harness.curl("/healthz", [])
      #expect(answer.status == 200, "\(answer.body)")
      #expect(harness.front.counts.connections <= 20)
      crowd.kill()
      _ = await crowd.finished()
      #expect(await eventually { harness.front.counts.connections == 0 })
    }
  }

  @Test(.timeLimit(.minutes(15))) func hundredsOfSilentConnectionsHinderNobody() async throws {
    try await FrontHarness.with(MirrorHandler()) { harness in
      let crowd = try Command.start(
        "bash",
        [
          "-c",
          "for i in $(seq 500); do exec {fd}<>/dev/tcp/127.0.0.1/\(harness.port); done; echo open; exec timeout 40 tail -f /dev/null",
        ])
      #expect(await eventually { crowd.output == "open\n" })
      let answer = try await harness.curl("/healthz", [])
      #expect(answer.status == 200, "\(answer.body)")
      crowd.kill()
      _ = await crowd.finished()
      #expect(await eventually { harness.front.counts.connections == 0 })
    }
  }
}
