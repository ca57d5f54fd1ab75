import Edge
import KubernetesAPI
import NIOCore
import TestSupport
import Testing

@Suite("What the edge answers by itself")
struct RefusalTests {
  @Test("an unknown host: 404 that names it, as text or as a page", arguments: ["--http1.1", "--http2"])
  func unknownHost(version: String) async throws {
    try await Stage.run([]) { stage, _ in
      let text = try await stage.curl([version, "-w", "%{http_code}"], host: "nobody.dev.demo.nagaya.test")
      #expect(text.output.hasSuffix("404"))
      #expect(text.output.contains("nobody.dev.demo.nagaya.test") && text.output.contains("nagaya get apps"))
      let page = try await stage.curl(
        [version, "-i", "-H", "Accept: text/html,*/*;q=0.8"], host: "nobody.dev.other.nagaya.test")
      #expect(page.output.contains("text/html") && page.output.contains("<!doctype html>"))
      let outside = try await stage.curl([version, "-H", "Host: example.org", "-w", "%{http_code}"])
      #expect(outside.output.hasSuffix("404"))
    }
  }

  @Test("plain http: 400 that says https, with and without a body", arguments: [[], ["-d", "a=b"]])
  func plainHTTP(options: [String]) async throws {
    try await Stage.run([]) { stage, _ in
      let answer = try await stage.command(
        "curl", ["-sS", "-m", "20", "-w", "%{http_code}", "http://127.0.0.1:\(stage.port)/any/path"] + options)
      #expect(answer.output.contains("https://") && answer.output.hasSuffix("400"), "\(answer.output)\(answer.error)")
      // TLS goes on as before.
      #expect(try await stage.curl(["-w", "%{http_code}"]).output.hasSuffix("503"))
    }
  }

  @Test("no ready pod: 503 with the app's reason, escaped")
  func notReady() async throws {
    try await Stage.run([]) { stage, routes in
      routes.setApp(Stage.app, reason: "CrashLoop", message: "exit code 1, <3 restarts>")
      let answer = try await stage.curl(["-i", "-H", "Accept: text/html"])
      #expect(answer.output.contains("503") && answer.output.lowercased().contains("retry-after: 2"))
      #expect(answer.output.contains("CrashLoop") && answer.output.contains("&lt;3 restarts&gt;"))
      #expect(routes.traffic[Stage.app]?.answers[5] == 1)
      // One connection for all: curl ends a body early when the answer overtakes it, and asks the next on the spot.
      let posts = try await stage.curl(["-d", "x", "-w", "%{http_code}\n", "-o", "/dev/null"], path: "/[1-1000]")
      #expect(posts.output == String(repeating: "503\n", count: 1000), "\(posts.error)")
    }
  }

  @Test("pods that refuse, close or do not speak HTTP: 502")
  func badGateway() async throws {
    let (dead, closing) = (try await Upstream(), try await Upstream())
    await dead.stop()
    let babbling = try await RawUpstream(saying: "what?\r\n\r\n")
    try await Stage.run([dead.endpoint]) { stage, routes in
      let refused = try await stage.curl(["-w", "%{http_code}"])
      #expect(refused.output.hasSuffix("502") && refused.output.contains("nagaya logs app hello -n demo-dev"))
      Stage.setPods(routes, [closing.endpoint])
      #expect(try await stage.curl(["-w", "%{http_code}"], path: "/close").output.hasSuffix("502"))
      Stage.setPods(routes, [babbling.endpoint])
      #expect(try await stage.curl(["-w", "%{http_code}"]).output.hasSuffix("502"))
      #expect(routes.inFlight == 0)
    }
    await closing.stop()
    await babbling.stop()
  }

  @Test("a pod that gives no answer: 504", arguments: ["--http1.1", "--http2"])
  func timeout(version: String) async throws {
    let pod = try await Upstream()
    var limits = EdgeConfiguration.Limits()
    limits.response = .milliseconds(200)
    try await Stage.run([pod.endpoint], limits: limits) { stage, routes in
      let answer = try await stage.curl([version, "-w", "%{http_code}"], path: "/never")
      #expect(answer.output.hasSuffix("504"))
      #expect(routes.inFlight == 0)
    }
    await pod.stop()
  }

  @Test("more requests at a time than allowed: 503 that says when to come back")
  func overloaded() async throws {
    let pod = try await Upstream()
    var limits = EdgeConfiguration.Limits()
    limits.requestsPerApp = 1
    try await Stage.run([pod.endpoint], limits: limits) { stage, routes in
      try await stage.connect { reader, writer in
        try await writer.write(ByteBuffer(string: "GET /sse HTTP/1.1\r\nHost: \(Stage.host)\r\n\r\n"))
        _ = try await reader.read(until: "data: 1\n\n")
        let second = try await stage.curl(["-i"])
        #expect(second.output.contains("503") && second.output.lowercased().contains("retry-after: 1"))
        pod.openGate()
      }
      #expect(await eventually { routes.inFlight == 0 })
      #expect(try await stage.curl([]).output == "hello from a\n")
    }
    await pod.stop()
  }

  @Test("an early answer to an upload is delivered", arguments: ["--http1.1", "--http2"])
  func earlyAnswer(version: String) async throws {
    let pod = try await Upstream()
    try await Stage.run([pod.endpoint]) { stage, routes in
      let answer = try await stage.curl(
        [version, "-w", "%{http_code}", "-H", "Expect:", "--data-binary", String(repeating: "x", count: 100_000)],
        path: "/early")
      #expect(answer.output.hasSuffix("413"))
      #expect(routes.inFlight == 0)
    }
    await pod.stop()
  }

  static let smuggling: [(String, String)] = [
    ("POST / HTTP/1.1\r\nHost: H\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"),
    ("POST / HTTP/1.1\r\nHost: H\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", "400"),
    ("POST / HTTP/1.1\r\nHost: H\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "400"),
    ("POST / HTTP/1.1\r\nHost: H\r\nContent-Length: +3\r\n\r\nabc", "400"),
    ("POST / HTTP/1.1\r\nHost: H\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "400|501"),
    ("POST / HTTP/1.1\r\nHost: H\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "400|501"),
    ("POST / HTTP/1.1\r\nHost: H\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "400"),
    ("GET / HTTP/1.1\r\nHost: H\r\nHost: other\r\n\r\n", "400"),
    ("GET / HTTP/1.1\r\n\r\n", "400"),
    ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "400"),
    ("GET nopath HTTP/1.1\r\nHost: H\r\n\r\n", "400"),
    ("CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n", "405"),
    ("GET / HTTP/3.0\r\nHost: H\r\n\r\n", "400|505"),
    ("\u{0}\u{1}\u{2}\r\n\r\n", "400"),
    ("GET / HTTP/1.1\r\nHost: H\r\nX: \(String(repeating: "y", count: 40_000))\r\n\r\n", "431"),
  ]

  @Test("what could be read in two ways never reaches a pod", arguments: 0..<15)
  func ambiguous(index: Int) async throws {
    let (text, statuses) = Self.smuggling[index]
    let pod = try await Upstream()
    try await Stage.run([pod.endpoint]) { stage, routes in
      let answer = try await stage.send(text.replacing("Host: H\r", with: "Host: \(Stage.host)\r"))
      let status = String(answer.split(separator: " ").dropFirst().first ?? "")
      #expect(statuses.split(separator: "|").map(String.init).contains(status), "\(answer.prefix(300))")
      #expect(pod.counts.requests == 0)
      #expect(routes.inFlight == 0)
    }
    await pod.stop()
  }

  @Test("random bytes do no harm")
  func garbage() async throws {
    let pod = try await Upstream()
    try await Stage.run([pod.endpoint]) { stage, routes in
      var random = SeededGenerator(seed: 12)
      let seeds = Self.smuggling.map { $0.0.replacing("Host: H\r", with: "Host: \(Stage.host)\r") }
      for _ in 0..<60 {
        var bytes = Array((seeds.randomElement(using: &random) ?? "").utf8.prefix(2000))
        for _ in 0..<Int.random(in: 1...8, using: &random) {
          let index = Int.random(in: 0..<bytes.count, using: &random)
          bytes[index] = UInt8.random(in: .min ... .max, using: &random)
        }
        let input = bytes
        try await stage.connect { _, writer in try await writer.write(ByteBuffer(bytes: input)) }
      }
      #expect(await eventually { routes.inFlight == 0 && stage.server.connectionCount == 0 })
      #expect(try await stage.curl([]).output == "hello from a\n")
    }
    await pod.stop()
  }
}
