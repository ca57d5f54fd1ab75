import Edge
import Foundation
import KubernetesAPI
import NIOCore
import TestSupport
import Testing

import struct Synchronization.Atomic

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
          try await writer.write(HTTP2Bytes.ask(1, fields: fields))
          return try await reader.status()
        }
        outcome = .check(status == answer && pod.counts.requests == (answer == "200" ? 1 : 0), "status \(status)")
      }
      await pod.stop()
      return outcome
    }
    #expect(held)
  }

  /// `before` is sent once.
  static let floods: [(what: String, before: [UInt8], bytes: [UInt8])] = [
    ("WINDOW_UPDATE of a connection", [], HTTP2Bytes.windowUpdate(by: 1)),
    ("WINDOW_UPDATE of a stream", HTTP2Bytes.ask(1, path: "/never"), HTTP2Bytes.windowUpdate(1, by: 1)),
    ("PING", [], HTTP2Bytes.frame(6, [1, 2, 3, 4, 5, 6, 7, 8])),
    ("answers to no PING", [], HTTP2Bytes.frame(6, flags: 1, [1, 2, 3, 4, 5, 6, 7, 8])),
    ("SETTINGS", [], HTTP2Bytes.settings()),
    ("SETTINGS that change windows", HTTP2Bytes.ask(1, path: "/never"), HTTP2Bytes.settings([(4, 70_000)])),
    ("acknowledgements", [], HTTP2Bytes.acknowledgement),
    ("PRIORITY", [], HTTP2Bytes.frame(2, stream: 1, [0, 0, 0, 3, 1])),
    ("GOAWAY", [], HTTP2Bytes.goAway(lastStream: 1)),
    ("RST_STREAM of one stream", HTTP2Bytes.ask(1, path: "/never"), HTTP2Bytes.reset(1)),
    ("frames of an unknown type", [], HTTP2Bytes.frame(0xF0)),
    ("CONTINUATION", HTTP2Bytes.frame(1, stream: 1, [0x82]), HTTP2Bytes.frame(9, stream: 1, [0])),
    ("empty CONTINUATION", HTTP2Bytes.frame(1, stream: 1, [0x82]), HTTP2Bytes.frame(9, stream: 1)),
    ("DATA of one byte", HTTP2Bytes.ask(1, method: "POST", path: "/count", ends: false), data([1])),
    ("empty DATA", HTTP2Bytes.ask(1, method: "POST", path: "/count", ends: false), data([])),
    (
      "DATA of nothing but padding", HTTP2Bytes.ask(1, method: "POST", path: "/count", ends: false),
      HTTP2Bytes.frame(0, flags: 8, stream: 1, [8] + [UInt8](repeating: 0, count: 8))
    ),
  ]
  private static func data(_ bytes: [UInt8]) -> [UInt8] { HTTP2Bytes.frame(0, stream: 1, bytes) }

  @Test("a flood of small frames is cut off or waits, and others are served", arguments: floods)
  func flood(what: String, before: [UInt8], bytes: [UInt8]) async throws {
    let held = try await attempt(Attack(.outsider, "HTTP/2 flood: \(what)", on: .fairShare)) {
      let pod = try await Upstream()
      var limits = EdgeConfiguration.Limits()
      limits.framesPerSecond = 1
      var outcome = AttackOutcome.through("nothing was seen")
      try await Stage.run([pod.endpoint], limits: limits) { stage, _ in
        // More than one read brings.
        var flood = ByteBuffer(bytes: before)
        flood.writeRepeatedly(bytes, count: 30_000)
        let block = flood
        let isAnswered = Atomic(false)
        let sender = Task {
          try await stage.http2 { reader, writer in
            try await writer.write(HTTP2Bytes.start)
            _ = try await reader.next()
            try await writer.write(block)
            // The edge has read the flood, or some of it: its own next frame waits behind.
            try await writer.write(HTTP2Bytes.ask(3))
            _ = try await reader.status()
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

  /// Few bytes, or endless ones, that would become many in memory.
  static let bombs: [(what: String, bytes: [UInt8], isAsked: Bool)] = [
    ("a header list of 1 MB", HTTP2Bytes.ask(1, fields: [("x", String(repeating: "y", count: 1 << 20))]), false),
    (
      "a header list of many small fields", HTTP2Bytes.ask(1, fields: Array(repeating: ("a", "b"), count: 20_000)),
      false
    ),
    (
      // Indexed once (RFC 7541, section 6.2.1) and named again (section 6.1): 4 KB for each byte.
      "a header table's entry named 40,000 times",
      HTTP2Bytes.headers(
        1,
        HTTP2Bytes.block(path: "/headers", authority: Stage.host) + [0x40, 1, 97, 127, 0x80 | 0x21, 30]
          + [UInt8](repeating: 98, count: 4000) + [UInt8](repeating: 0xBE, count: 40_000)), false
    ),
    (
      // Section 6.3: two changes of the table's size at most, and no larger than was granted.
      "changes of the header table's size", HTTP2Bytes.headers(1, [UInt8](repeating: 0x20, count: 300_000)), false
    ),
    ("a header table of 2 GB", HTTP2Bytes.headers(1, [0x3F, 0xFF, 0xFF, 0xFF, 0xFF, 7]), false),
    ("a string of 4 GB", HTTP2Bytes.headers(1, [0, 127, 0x80, 0xFF, 0xFF, 0xFF, 0x0F]), false),
    (
      "headers that never end", HTTP2Bytes.frame(1, stream: 1, HTTP2Bytes.block(path: "/", authority: Stage.host)),
      false
    ),
    ("a frame of 16 MiB", [0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 1] + [UInt8](repeating: 0, count: 1 << 20), false),
    (
      "trailers of 1 MB",
      HTTP2Bytes.ask(1, method: "POST", path: "/never", ends: false)
        + HTTP2Bytes.headers(1, [0, 1, 120, 127, 0x81, 0xFF, 0x3F] + [UInt8](repeating: 121, count: 1 << 20)), true
    ),
    (
      "trailers again and again",
      HTTP2Bytes.ask(1, method: "POST", path: "/never", ends: false)
        + Array(repeating: HTTP2Bytes.headers(1, [0, 1, 120, 1, 121], ends: false), count: 10_000).flatMap(\.self), true
    ),
    (
      "windows beyond numbers",
      HTTP2Bytes.ask(1, path: "/never")
        + Array(repeating: HTTP2Bytes.windowUpdate(by: 0x7FFF_FFFF), count: 10).flatMap(\.self), true
    ),
  ]

  @Test("what would grow in memory is refused, and others are served", arguments: bombs)
  func bomb(what: String, bytes: [UInt8], isAsked: Bool) async throws {
    let held = try await attempt(Attack(.outsider, "HTTP/2: \(what)", on: .platformProcess)) {
      let pod = try await Upstream()
      var outcome = AttackOutcome.through("nothing was seen")
      try await Stage.run([pod.endpoint]) { stage, routes in
        let before = Self.memoryBytes()
        let clients = (0..<8).map { _ in
          Task {
            try await stage.http2 { reader, writer in
              try await writer.write(HTTP2Bytes.start + bytes)
              try await reader.drain()
            }
          }
        }
        let answers = try await (stage.curl([]).output, stage.curl(["--http1.1"]).output)
        let grown = Self.memoryBytes() - before
        for client in clients { client.cancel() }
        for client in clients { _ = try? await client.value }
        let isQuiet = await eventually { routes.inFlight == 0 && stage.server.connectionCount == 0 }
        let asked = pod.counts.requests - 2
        outcome = .check(
          isQuiet && grown < 128 << 20 && (isAsked || asked == 0)
            && answers == ("hello from a\n", "hello from a\n"),
          "\(routes.inFlight) in flight, \(grown >> 20) MiB more, \(asked) requests came through, \(answers)")
      }
      await pod.stop()
      return outcome
    }
    #expect(held)
  }

  @Test("a head of a size that is granted is answered before the client has seen the settings, too")
  func largeHead() async throws {
    let pod = try await Upstream()
    try await Stage.run([pod.endpoint]) { stage, _ in
      let fields = (0..<4).map { ("x-filler-\($0)", String(repeating: "y", count: 6000)) }
      let status = try await stage.http2 { reader, writer in
        try await writer.write(HTTP2Bytes.start + HTTP2Bytes.ask(1, path: "/", fields: fields))
        return try await reader.status()
      }
      #expect(status == "200")
    }
    await pod.stop()
  }

  /// What this process holds in memory.
  private static func memoryBytes() -> Int {
    let pages = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
    return (pages.flatMap { $0.count > 1 ? Int($0[1]) : nil } ?? 0) * 4096
  }

  @Test("trailers of HTTP/2 say nothing of who the client is, or of another message", arguments: HeaderAttacks.fields)
  func trailers(field: String) async throws {
    let held = try await attempt(Attack(.outsider, "\(field) in a trailer of HTTP/2", on: .otherTraffic)) {
      let pod = try await MirrorUpstream()
      var seen = ""
      try await Stage.run([pod.endpoint]) { stage, _ in
        let trailer = HTTP2Bytes.literals([("x-mine", "1"), (field.lowercased(), "6.6.6.6")])
        seen = try await stage.http2 { reader, writer in
          try await writer.write(
            HTTP2Bytes.start + HTTP2Bytes.ask(1, method: "POST", path: "/", ends: false)
              + HTTP2Bytes.frame(0, stream: 1, [1]) + HTTP2Bytes.headers(1, trailer))
          var text = ""
          while !text.contains("END-OF-MIRROR") {
            let frame = try await reader.next { $0.type == 0 || $0.type == 3 || $0.type == 7 }
            guard frame.type == 0 else { return text + "ended: \(frame)" }
            text += String(decoding: frame.payload, as: UTF8.self)
          }
          return text
        }
      }
      await pod.stop()
      return .check(seen.lowercased().contains("x-mine: 1") && !seen.contains("6.6.6.6"), seen)
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

extension ByteBuffer {
  fileprivate mutating func writeRepeatedly(_ bytes: [UInt8], count: Int) {
    for _ in 0..<count { writeBytes(bytes) }
  }
}
