import Edge
import NIOCore
import TestSupport
import Testing

@Suite("Long connections through the edge")
struct UpgradeTests {
  @Test("websockets go through byte for byte, also bytes that follow the answer at once")
  func websocket() async throws {
    let pod = try await RawUpstream(
      saying:
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\nearly|"
    )
    try await Stage.run([pod.endpoint]) { stage, routes in
      try await stage.connect { reader, writer in
        try await writer.write(
          ByteBuffer(
            string:
              "GET /chat HTTP/1.1\r\nHost: \(Stage.host)\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
              + "Sec-WebSocket-Version: 13\r\n\r\n"))
        let head = try await reader.read(until: "\r\n\r\n").lowercased()
        #expect(head.hasPrefix("http/1.1 101 switching protocols\r\n"))
        #expect(head.contains("upgrade: websocket\r\n") && head.contains("connection: upgrade\r\n"))
        #expect(head.contains("sec-websocket-accept: x\r\n"))
        #expect(try await reader.read(until: "|") == "early|")
        for text in ["a|", "\u{1}\u{2}HTTP/1.1 200 OK\r\n\r\n|", String(repeating: "long", count: 100_000) + "|"] {
          try await writer.write(ByteBuffer(string: text))
          #expect(try await reader.read(until: "|") == text)
        }
        #expect(routes.inFlight == 1)
      }
      #expect(await eventually { routes.inFlight == 0 })
      #expect(routes.traffic[Stage.app]?.answers[1] == 1)
    }
    await pod.stop()
  }

  @Test("a pod that does not switch protocols answers as usual")
  func declined() async throws {
    let pod = try await Upstream()
    try await Stage.run([pod.endpoint]) { stage, _ in
      let answer = try await stage.send(
        "GET / HTTP/1.1\r\nHost: \(Stage.host)\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
      #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
      #expect(answer.hasSuffix("hello from a\n"))
    }
    await pod.stop()
  }

  @Test("a pod that switches protocols unasked is a bad gateway")
  func unasked() async throws {
    let pod = try await RawUpstream(
      saying: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
    try await Stage.run([pod.endpoint]) { stage, _ in
      let answer = try await stage.curl(["--http1.1", "-w", "%{http_code}", "-o", "/dev/null"])
      #expect(answer.output == "502")
    }
    await pod.stop()
  }

  @Test("server-sent events arrive when they are sent")
  func events() async throws {
    let pod = try await Upstream()
    try await Stage.run([pod.endpoint]) { stage, _ in
      try await stage.connect { reader, writer in
        try await writer.write(ByteBuffer(string: "GET /sse HTTP/1.1\r\nHost: \(Stage.host)\r\n\r\n"))
        #expect(try await reader.read(until: "data: 1\n\n").contains("text/event-stream"))
        pod.openGate()  // only now does the pod send the second one
        #expect(try await reader.read(until: "data: 2\n\n").hasSuffix("data: 2\n\n"))
      }
    }
    await pod.stop()
  }
}
