import Edge
import Foundation
import KubernetesAPI
import NIOCore
import TestSupport
import Testing

@Suite("Requests through the edge", .serialized)
struct ProxyTests {
  @Test(
    "reach the pod over HTTP/1.1 and HTTP/2, with the edge's forwarding fields", arguments: ["--http1.1", "--http2"])
  func forwards(version: String) async throws {
    let pod = try await Upstream()
    try await Stage.run([pod.endpoint]) { stage, routes in
      let answer = try await stage.curl(
        [
          version, "-w", "%{http_version}", "-H", "X-Forwarded-For: 6.6.6.6", "-H", "X-Real-IP: 6.6.6.6", "-H",
          "Forwarded: for=6.6.6.6", "-H", "Proxy: evil", "-H", "Cookie: a=1", "-H", "X-Mine: kept",
        ], path: "/headers")
      #expect(answer.error == "")
      let lines = answer.output.split(separator: "\n").map(String.init)
      #expect(lines.first == "GET /headers")
      #expect(lines.contains("host: \(Stage.host):\(stage.port)"))
      #expect(lines.contains("x-forwarded-for: 127.0.0.1"))
      #expect(lines.contains("x-forwarded-proto: https"))
      #expect(lines.contains("x-forwarded-host: \(Stage.host):\(stage.port)"))
      #expect(lines.contains("x-mine: kept"))
      #expect(!answer.output.contains("6.6.6.6") && !answer.output.contains("evil"))
      #expect(lines.last == (version == "--http2" ? "2" : "1.1"))
      #expect(routes.traffic[Stage.app]?.answers[2] == 1)
      #expect(routes.inFlight == 0)
    }
    await pod.stop()
  }

  @Test("keep bodies whole in both directions", arguments: ["--http1.1", "--http2"])
  func bodies(version: String) async throws {
    let pod = try await Upstream()
    try await Stage.run([pod.endpoint]) { stage, _ in
      let file = "\(stage.directory)/body"
      try Data((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }).write(to: URL(filePath: file))
      let echo = try await stage.curl(
        [version, "--data-binary", "@\(file)", "-o", "\(file).back"], path: "/echo")
      #expect(echo.error == "")
      #expect(FileManager.default.contentsEqual(atPath: file, andPath: "\(file).back"))
      let chunked = try await stage.curl(
        [version, "-T", file, "-H", "Transfer-Encoding: chunked", "-H", "Expect: 100-continue"], path: "/count")
      #expect(chunked.output == "3000000")
      let head = try await stage.curl([version, "-I"], path: "/")
      #expect(head.output.contains("200"))
      let nothing = try await stage.curl([version, "-w", "%{http_code}"], path: "/nothing")
      #expect(nothing.output == "204")
      let trailers = try await stage.curl([version, "-v"], path: "/trailers")
      #expect(trailers.output.hasPrefix("body"))
    }
    await pod.stop()
  }

  @Test("are kept on one pod connection, one after the other")
  func keepsConnections() async throws {
    let pod = try await Upstream()
    try await Stage.run([pod.endpoint]) { stage, _ in
      let answer = try await stage.curl(["--http1.1"], path: "/[1-20]")
      #expect(answer.output == String(repeating: "hello from a\n", count: 20))
      #expect(pod.counts.connections == 1)
      #expect(pod.counts.requests == 20)
    }
    await pod.stop()
  }

  @Test("that are pipelined are answered in order")
  func pipelining() async throws {
    let pod = try await Upstream()
    try await Stage.run([pod.endpoint]) { stage, _ in
      let request = "GET /headers HTTP/1.1\r\nHost: \(Stage.host)\r\nX-Turn: TURN\r\n\r\n"
      let text =
        (1...5).map { request.replacing("TURN", with: "\($0)") }.joined()
        + "GET / HTTP/1.1\r\nHost: \(Stage.host)\r\nConnection: close\r\n\r\n"
      let answer = try await stage.send(text)
      let turns = answer.split(separator: "\n").compactMap { $0.hasPrefix("x-turn: ") ? Int($0.dropFirst(8)) : nil }
      #expect(turns == [1, 2, 3, 4, 5])
      #expect(answer.hasSuffix("hello from a\n"))
    }
    await pod.stop()
  }

  @Test("go to another pod when one takes no connections")
  func retriesConnect() async throws {
    let (dead, live) = (try await Upstream("dead"), try await Upstream("live"))
    await dead.stop()
    try await Stage.run([dead.endpoint, live.endpoint]) { stage, routes in
      let answer = try await stage.curl([], path: "/[1-10]")
      #expect(answer.output == String(repeating: "hello from live\n", count: 10))
      #expect(routes.traffic[Stage.app]?.retries ?? 0 > 0)
      let upload = try await stage.curl(["-d", "abc"], path: "/count")
      #expect(upload.output == "3")
    }
    await live.stop()
  }

  @Test("survive pods that come and go")
  func podsChange() async throws {
    let pods = [try await Upstream("a"), try await Upstream("b"), try await Upstream("c")]
    try await Stage.run([pods[0].endpoint]) { stage, routes in
      try await withThrowingTaskGroup(of: Stage.Answer.self) { group in
        for version in ["--http1.1", "--http2", "--http1.1", "--http2"] {
          group.addTask {
            try await stage.curl([version, "-o", "/dev/null", "-w", "%{http_code}\n"], path: "/[1-250]")
          }
        }
        // One pod after the other leaves the routes, and then ends, as pods do.
        #expect(await eventually { pods[0].counts.requests > 50 })
        Stage.setPods(routes, [pods[1].endpoint])
        #expect(await eventually { pods[1].counts.requests > 50 })
        await Self.drain(pods[0], routes)
        Stage.setPods(routes, [pods[2].endpoint])
        #expect(await eventually { pods[2].counts.requests > 50 })
        await Self.drain(pods[1], routes)
        for try await answer in group {
          let codes = answer.output.split(separator: "\n")
          #expect(codes.count == 250)
          #expect(Set(codes) == ["200"], "\(codes.count { $0 != "200" }) failed: \(answer.error.suffix(300))")
        }
      }
    }
    for pod in pods { await pod.stop() }
  }

  /// Ends a server once its requests are answered.
  private static func drain(_ pod: Upstream, _ routes: RoutingTable) async {
    var last = -1
    while last != pod.counts.requests {
      last = pod.counts.requests
      try? await Task.sleep(for: .milliseconds(100))  // long against a request's time
    }
    await pod.stop()
  }

  @Test("stream without being kept in memory", arguments: ["--http1.1", "--http2"])
  func streams(version: String) async throws {
    let pod = try await Upstream()
    try await Stage.run([pod.endpoint]) { stage, _ in
      _ = try await stage.curl([version, "-o", "/dev/null"], path: "/bytes/8000000")
      let before = residentBytes()
      let answer = try await stage.curl(
        [version, "-o", "/dev/null", "-w", "%{size_download}"], path: "/bytes/\(100 << 20)")
      #expect(answer.output == String(100 << 20))
      #expect(residentBytes() - before < 48 << 20)
    }
    await pod.stop()
  }

  @Test("of clients that do not read hold the pod back, and leave nothing when they go")
  func slowClient() async throws {
    let pod = try await Upstream()
    try await Stage.run([pod.endpoint]) { stage, routes in
      async let client = stage.curl(
        ["-m", "2", "--limit-rate", "1000", "-o", "/dev/null"], path: "/bytes/\(200 << 20)")
      #expect(await eventually { routes.inFlight == 1 && pod.counts.bytesWritten > 0 })
      let answer = try await client
      #expect(!answer.isSuccess)  // it gave up after 2 s
      #expect(pod.counts.bytesWritten < 32 << 20)
      #expect(await eventually { routes.inFlight == 0 && stage.server.connectionCount == 0 })
    }
    await pod.stop()
  }

  private func residentBytes() -> Int {
    let fields = ((try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? "").split(separator: " ")
    return (fields.count > 1 ? Int(fields[1]) ?? 0 : 0) * 4096
  }
}
