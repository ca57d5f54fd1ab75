import Edge
import KubernetesAPI
import NIOCore
import TestSupport
import Testing

/// Requests that pretend to have come through a proxy, or mean two hosts.
@Suite("Attacks by fields and hosts", .serialized)
struct HeaderAttacks {
  static let fields = [
    "X-Forwarded-For", "x_forwarded_for", "X-Forwarded_For", "X.Forwarded.For", "X-Forwarded-Client-Cert",
    "X-Forwarded-Anything", "Forwarded", "X-Real-IP", "X_Real_IP", "True-Client-IP", "CF-Connecting-IP",
    "Fastly-Client-IP", "X-Client-IP", "X-Original-URL", "X-Rewrite-URL", "Proxy", "X-Azure-ClientIP",
    "X-Envoy-External-Address", "SSL-Client-Verify", "X-Nagaya-Tenant",
  ]

  @Test("no field that says who the client is comes in from outside, in a head or a trailer", arguments: fields)
  func forwarding(field: String) async throws {
    for place in ["head", "trailer"] {
      let held = try await attempt(Attack(.outsider, "\(field) in a \(place)", on: .otherTraffic)) {
        // Answers with the request as it came.
        let pod = try await MirrorUpstream()
        var seen = ""
        try await Stage.run([pod.endpoint]) { stage, _ in
          let text =
            place == "head"
            ? "POST / HTTP/1.1\r\nHost: \(Stage.host)\r\nX-Mine: 1\r\n\(field): 6.6.6.6\r\nContent-Length: 0\r\n\r\n"
            : "POST / HTTP/1.1\r\nHost: \(Stage.host)\r\nTransfer-Encoding: chunked\r\nTrailer: \(field)\r\n\r\n"
              + "1\r\nx\r\n0\r\nX-Mine: 1\r\n\(field): 6.6.6.6\r\n\r\n"
          seen = try await stage.send(text, until: "END-OF-MIRROR")
        }
        await pod.stop()
        return .check(seen.lowercased().contains("x-mine: 1") && !seen.contains("6.6.6.6"), seen)
      }
      #expect(held)
    }
  }

  static let hosts: [(what: String, text: String)] = [
    ("two hosts", "GET / HTTP/1.1\r\nHost: H\r\nHost: other.dev.blue.nagaya.test\r\n\r\n"),
    ("a host and an absolute target of another", "GET http://other.dev.blue.nagaya.test/ HTTP/1.1\r\nHost: H\r\n\r\n"),
    ("an absolute target with user information", "GET http://H@other.test/ HTTP/1.1\r\nHost: H\r\n\r\n"),
    ("a host with user information", "GET / HTTP/1.1\r\nHost: x@H\r\n\r\n"),
    ("a host list", "GET / HTTP/1.1\r\nHost: H, other.test\r\n\r\n"),
    ("a folded host", "GET / HTTP/1.1\r\nHost: H\r\n .other.test\r\n\r\n"),
    ("a host with a tab", "GET / HTTP/1.1\r\nHost: H\tother.test\r\n\r\n"),
    ("a host with an empty label", "GET / HTTP/1.1\r\nHost: hello..dev.demo.nagaya.test\r\n\r\n"),
  ]

  @Test("a request of two hosts reaches no pod", arguments: hosts)
  func twoHosts(what: String, text: String) async throws {
    let held = try await attempt(Attack(.outsider, what, on: .otherTraffic)) {
      let pod = try await Upstream()
      var answer = ""
      var count = 0
      try await Stage.run([pod.endpoint]) { stage, _ in
        let request = text.replacing("Host: H", with: "Host: \(Stage.host)").replacing("@H", with: "@\(Stage.host)")
        answer = try await stage.send(request.replacing("\r\n\r\n", with: "\r\nConnection: close\r\n\r\n"))
        count = pod.counts.requests
      }
      await pod.stop()
      let status = answer.split(separator: " ").dropFirst().first ?? ""
      return .check(count == 0 && (status == "400" || status == "404"), answer)
    }
    #expect(held)
  }

  @Test(
    "another tenant's host is not had by other cuts of the same names",
    arguments: [
      "hello.demo-dev.nagaya.test", "hello.demo.dev.nagaya.test", "hello.v.demo-de.nagaya.test",
      "demo.hello.dev.demo.nagaya.test", "hello.dev.demo.nagaya.test.evil.test", "hello.dev-demo.nagaya.test",
    ])
  func cuts(host: String) async throws {
    let held = try await attempt(Attack(.outsider, "host \(host)", on: .otherTraffic)) {
      let pod = try await Upstream()
      var answer = ""
      var count = 0
      try await Stage.run([pod.endpoint]) { stage, routes in
        // Namespaces whose names other cuts of theirs would give.
        routes.setEnvironment(TenantEnvironment(tenant: "demo-d", name: "ev"), ofNamespace: "demo-d-ev")
        answer = try await stage.send("GET / HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n")
        count = pod.counts.requests
      }
      await pod.stop()
      return .check(count == 0 && answer.contains("404"), answer)
    }
    #expect(held)
  }
}
