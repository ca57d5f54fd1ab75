import Edge
import KubernetesAPI
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
import TestSupport
import Testing

/// Clients that speak HTTP/2 by hand, to mean two hosts or to keep the edge busy.
@Suite("Attacks by HTTP/2 frames", .serialized)
struct HTTP2Attacks {
  static let heads: [(what: String, fields: [(String, String)], answer: String)] = [
    ("host and :authority are the same", [("host", Stage.host)], "200"),
    ("host is another tenant's", [("host", "web.dev.blue.nagaya.test")], "400"),
    ("host is another app's", [("host", "other.dev.demo.nagaya.test")], "400"),
    ("two hosts, one of them the same", [("host", Stage.host), ("host", "web.dev.blue.nagaya.test")], "400"),
    ("host with a port", [("host", "\(Stage.host):443")], "400"),
    ("an empty host", [("host", "")], "400"),
  ]

  @Test("host and :authority must agree", arguments: heads)
  func authority(what: String, fields: [(String, String)], answer: String) async throws {
    let held = try await attempt(Attack(.outsider, "HTTP/2: \(what)", on: .otherTraffic)) {
      let pod = try await Upstream()
      var outcome = AttackOutcome.through("nothing was seen")
      try await Stage.run([pod.endpoint]) { stage, _ in
        let status = try await stage.http2 { reader, writer in
          try await writer.write(HTTP2Bytes.start)
          try await writer.write(HTTP2Bytes.request(stream: 1, host: Stage.host, fields))
          return try await HTTP2Bytes.status(&reader)
        }
        outcome = .check(status == answer && pod.counts.requests == (answer == "200" ? 1 : 0), "status \(status)")
      }
      await pod.stop()
      return outcome
    }
    #expect(held)
  }

  static let floods: [(what: String, bytes: ByteBuffer)] = [
    ("WINDOW_UPDATE of a connection", HTTP2Bytes.frame(8, 0, stream: 0, [0, 0, 0, 1])),
    ("PING", HTTP2Bytes.frame(6, 0, stream: 0, [1, 2, 3, 4, 5, 6, 7, 8])),
    ("SETTINGS", HTTP2Bytes.frame(4, 0, stream: 0, [])),
    ("PRIORITY", HTTP2Bytes.frame(2, 0, stream: 1, [0, 0, 0, 3, 1])),
    ("frames of an unknown type", HTTP2Bytes.frame(0xF0, 0, stream: 0, [])),
    ("CONTINUATION", HTTP2Bytes.frame(9, 0, stream: 1, [0])),
    ("DATA of one byte", HTTP2Bytes.frame(0, 0, stream: 1, [1])),
    ("empty DATA", HTTP2Bytes.frame(0, 0, stream: 1, [])),
  ]

  @Test("a flood of small frames is cut off or waits, and others are served", arguments: floods)
  func flood(what: String, bytes: ByteBuffer) async throws {
    let held = try await attempt(Attack(.outsider, "HTTP/2 flood: \(what)", on: .fairShare)) {
      let pod = try await Upstream()
      var limits = EdgeConfiguration.Limits()
      limits.framesPerSecond = 1
      var outcome = AttackOutcome.through("nothing was seen")
      try await Stage.run([pod.endpoint], limits: limits) { stage, _ in
        var flood = ByteBuffer()
        if what.contains("DATA") {
          flood.writeImmutableBuffer(
            HTTP2Bytes.request(stream: 1, host: Stage.host, [], method: "POST", path: "/count", ends: false))
        } else if what == "CONTINUATION" {
          flood.writeImmutableBuffer(HTTP2Bytes.frame(1, 0, stream: 1, [0x82]))
        }
        // More than one read brings.
        for _ in 0..<30_000 { flood.writeImmutableBuffer(bytes) }
        let block = flood
        let isAnswered = Atomic(false)
        let sender = Task {
          try await stage.http2 { reader, writer in
            try await writer.write(HTTP2Bytes.start)
            _ = try await HTTP2Bytes.frame(&reader)
            try await writer.write(block)
            // The edge has read the flood, or some of it: its own next frame waits behind.
            try await writer.write(HTTP2Bytes.request(stream: 3, host: Stage.host, []))
            _ = try await HTTP2Bytes.status(&reader)
            isAnswered.store(true, ordering: .relaxed)
          }
        }
        var answers: [String] = []
        for _ in 0..<8 { answers.append(try await stage.curl(["--http1.1", "--interface", "127.0.0.9"]).output) }
        let isTaken = await eventually(within: .seconds(2)) { isAnswered.load(ordering: .relaxed) }
        sender.cancel()
        _ = try? await sender.value
        outcome = .check(
          !isTaken && answers == Array(repeating: "hello from a\n", count: 8), "answered: \(isTaken), \(answers)")
      }
      await pod.stop()
      return outcome
    }
    #expect(held)
  }

  @Test(
    "TLS without authenticated encryption is refused",
    arguments: ["ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES128-SHA", "AES128-SHA", "AES128-GCM-SHA256"])
  func suites(suite: String) async throws {
    let held = try await attempt(Attack(.outsider, "TLS 1.2 with \(suite)", on: .otherTraffic)) {
      var outcome = AttackOutcome.through("nothing was seen")
      try await Stage.run([]) { stage, _ in
        let good = try await stage.curl(["--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256"])
        let answer = try await stage.curl(["--tls-max", "1.2", "--ciphers", suite])
        outcome = .check(good.isSuccess && !answer.isSuccess, answer.output + answer.error)
      }
      return outcome
    }
    #expect(held)
  }
}
