import APIServer
import CertificateAuthority
import Foundation
import Logging
import ServiceLifecycle
import TestSupport
import Testing

/// Requests that come in one flight with the end of the TLS handshake, while the server ends or their connection does.
@Suite(.serialized) struct FrontFlightTests {
  /// What a connection brings, in an order of its own each time; right, wrong, and ending it in between.
  private static func flight(_ random: inout SeededGenerator) -> [UInt8] {
    var bytes = HTTP2Bytes.preface + HTTP2Bytes.settings()
    var stream: UInt32 = 1
    for _ in 0..<Int.random(in: 1...12, using: &random) {
      switch Int.random(in: 0..<12, using: &random) {
      case 0: bytes += HTTP2Bytes.reset(stream > 1 ? stream - 2 : 1)
      case 1: bytes += HTTP2Bytes.frame(7, HTTP2Bytes.word(0) + HTTP2Bytes.word(0))
      case 2: bytes += HTTP2Bytes.frame(6, [UInt8](repeating: 7, count: 8))
      case 3: bytes += HTTP2Bytes.frame(0, stream: stream + 40, [1, 2, 3])
      case 4: bytes += HTTP2Bytes.acknowledgement
      case 5: bytes += [UInt8](repeating: 0xFF, count: 20)
      default:
        bytes += HTTP2Bytes.request(
          stream, method: Bool.random(using: &random) ? "GET" : "POST", path: "/healthz",
          ends: Bool.random(using: &random))
        stream += 2
      }
    }
    return bytes
  }

  enum End: String, Sendable, CaseIterable { case graceful, cancelled, clients }

  @Test(.timeLimit(.minutes(15)), arguments: End.allCases)
  func streamsThatNobodyTakesAnyMoreDoNotEndTheProcess(end: End) async throws {
    let directory = "/tmp/nagaya-flight-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let authority = try CertificateAuthority.loadOrCreate(directory: directory)
    let certificate = try authority.issueServer(commonName: "api", dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"])
    var quiet = Logger(label: "test.flight")
    quiet.logLevel = .critical
    // The pool's threads are busy, so that tasks lag behind the event loops.
    let load = Task {
      await withDiscardingTaskGroup { group in
        for _ in 0..<4 {
          group.addTask {
            var number: UInt64 = 1
            while !Task.isCancelled {
              for _ in 0..<200_000 { number = number &* 6_364_136_223_846_793_005 &+ 1 }
              await Task.yield()
            }
            _ = number
          }
        }
      }
    }
    defer { load.cancel() }
    var random = SeededGenerator(seed: 21)
    for round in 0..<12 {
      let front = try HTTPSFront(
        port: 0, certificate: certificate, authenticator: try Authenticator(authority: authority),
        handler: MirrorHandler(), logger: quiet)
      let group = ServiceGroup(services: [front], logger: quiet)
      let running = Task { try await group.run() }
      let port = try await front.port
      let flights = (0..<24).map { _ in (Self.flight(&random), UInt64.random(in: 0..<8, using: &random)) }
      await withTaskGroup(of: Void.self) { clients in
        for (index, (bytes, pause)) in flights.enumerated() {
          clients.addTask {
            for _ in 0..<pause { await Task.yield() }
            let application = index % 5 == 4 ? "http/1.1" : "h2"
            guard
              let client = try? await RawTLSClient(
                port: port, application: application,
                first: application == "h2" ? bytes : Array("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".utf8))
            else { return }
            if end == .clients || index % 3 == 0 { client.close() }
            if end == .clients { return }
            // The server ends every connection when it does.
            #expect(await eventually { client.isClosed }, "round \(round)")
          }
        }
        clients.addTask {
          for _ in 0..<(round * 3) { await Task.yield() }
          switch end {
          case .graceful: await group.triggerGracefulShutdown()
          case .cancelled: running.cancel()
          case .clients: break
          }
        }
        await clients.waitForAll()
      }
      if end == .clients {
        #expect(await eventually { front.counts.connections == 0 })
        running.cancel()
      }
      _ = try? await running.value
      #expect(front.counts.connections == 0, "round \(round)")
      #expect(front.counts.streams == 0, "round \(round)")
    }
  }

  // MARK: Too large

  private static let authorized = [("authorization", "Bearer dev-token")]

  /// The sizes of target and of one header field, and the status that is right.
  private static let sizes: [(target: Int, field: Int, status: Int)] = [
    (100, 10, 200), (17 << 10, 10, 200), (40 << 10, 10, 200), (65 << 10, 10, 414), (90 << 10, 10, 414),
    (100, 60 << 10, 200), (100, 100 << 10, 431), (40 << 10, 60 << 10, 431), (100, 150 << 10, 431),
  ]

  @Test(.timeLimit(.minutes(15)), arguments: [false, true])
  func whatIsTooLargeIsAnsweredOnItsStreamAndOthersGoOn(inOneFlight: Bool) async throws {
    try await FrontHarness.with(MirrorHandler()) { harness in
      var opening = HTTP2Bytes.preface + HTTP2Bytes.settings([(4, 1 << 24)])
      opening += HTTP2Bytes.request(1, path: "/watch", fields: Self.authorized)
      let requests = Self.sizes.enumerated().map { index, size in
        HTTP2Bytes.request(
          UInt32(3 + 2 * index), path: "/a?labelSelector=" + String(repeating: "x", count: size.target),
          fields: Self.authorized + [("x-filler", String(repeating: "y", count: size.field))])
      }
      let client = try await RawTLSClient(
        port: harness.port, first: inOneFlight ? opening + requests.flatMap(\.self) : opening)
      try await eventually("the watch has begun") { client.body(of: 1) == "begin\n" }
      if !inOneFlight {
        client.send(HTTP2Bytes.acknowledgement)
        for request in requests { client.send(request) }
      }
      client.send(HTTP2Bytes.frame(8, HTTP2Bytes.word(1 << 24)))
      for (index, size) in Self.sizes.enumerated() {
        let stream = UInt32(3 + 2 * index)
        try await eventually("an answer to \(size)") {
          client.frames.contains { $0.stream == stream && $0.flags & 1 == 1 } || client.isClosed
        }
        let body = client.body(of: stream)
        if size.status == 200 {
          #expect(body.contains(#""path":"/a""#), "\(size): \(body.prefix(200))")
        } else {
          #expect(body.contains(#""kind":"Status""#) && body.contains(#""code":\#(size.status)"#), "\(size): \(body)")
        }
      }
      // The connection and its watch live, and there is no goodbye.
      client.send(HTTP2Bytes.frame(6, [1, 2, 3, 4, 5, 6, 7, 8]))
      try await eventually("the ping's answer") { client.frames.contains { $0.type == 6 && $0.flags & 1 == 1 } }
      #expect(!client.isClosed && !client.frames.contains { $0.type == 7 })
      #expect(!client.frames.contains { $0.stream == 1 && ($0.type == 3 || $0.flags & 1 == 1 && $0.type == 0) })
      client.close()
    }
  }

  @Test(.timeLimit(.minutes(15))) func whatIsTooLargeIsAnsweredOverHTTP1() async throws {
    try await FrontHarness.with(MirrorHandler()) { harness in
      for size in Self.sizes + [(100, 200 << 10, 431), (200 << 10, 10, 431)] {
        let client = try await RawTLSClient(
          port: harness.port, application: "http/1.1",
          first: Array(
            ("GET /a?labelSelector=\(String(repeating: "x", count: size.target)) HTTP/1.1\r\nHost: x\r\n"
              + "Authorization: Bearer dev-token\r\nX-Filler: \(String(repeating: "y", count: size.field))\r\n"
              + "Connection: close\r\n\r\n").utf8))
        try await eventually("the end of \(size)") { client.isClosed }
        let answer = String(decoding: client.received, as: UTF8.self)
        #expect(answer.hasPrefix("HTTP/1.1 \(size.status) "), "\(size): \(answer.prefix(200))")
        if size.status != 200 { #expect(answer.contains(#""kind":"Status""#), "\(size): \(answer)") }
      }
    }
  }
}
