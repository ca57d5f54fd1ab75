import Edge
import NIOCore
import TestSupport
import Testing

@Suite("Malformed requests among others on one connection of HTTP/2", .serialized)
struct MalformedRequestTests {
  @Test("each ends itself alone", arguments: HTTP2Bytes.malformedRequests(on: 3, authority: Stage.host))
  func aloneIsReset(what: String, bytes: [UInt8]) async throws {
    let pod = try await Upstream()
    try await Stage.run([pod.endpoint]) { stage, routes in
      try await stage.http2 { reader, writer in
        try await writer.write(HTTP2Bytes.start + HTTP2Bytes.ask(1, path: "/sse"))
        _ = try await reader.next { $0.type == 0 && $0.stream == 1 }
        try await writer.write(bytes)
        let reset = try await reader.next { $0.stream == 3 && $0.type != 8 }
        #expect(reset.type == 3, "\(what): \(reset)")
        try await writer.write(HTTP2Bytes.ask(5))
        #expect(try await reader.next { $0.type == 1 }.stream == 5)
        pod.openGate()
        _ = try await reader.next { $0.type == 0 && $0.stream == 1 && $0.flags & 1 == 1 }
      }
      try await eventually("no request under way") { routes.inFlight == 0 }
    }
    await pod.stop()
  }

  @Test("a broken connection is closed")
  func connectionErrorCloses() async throws {
    try await Stage.run([]) { stage, _ in
      try await stage.http2 { reader, writer in
        // DATA of a stream that nobody opened (RFC 9113, section 5.1).
        try await writer.write(HTTP2Bytes.start + HTTP2Bytes.frame(0, stream: 9, [1]))
        _ = try await reader.next { $0.type == 7 }
        try await reader.drain()
      }
    }
  }
}
