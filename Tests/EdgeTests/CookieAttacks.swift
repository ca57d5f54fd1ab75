import Edge
import Foundation
import KubernetesAPI
import NIOCore
import TestSupport
import Testing

/// An app that wants its cookies to reach another tenant's apps.
@Suite("Attacks by cookies")
struct CookieAttacks {
  /// What the app says, and what may stay of it.
  static let tries: [(said: String, kept: [String])] = [
    ("sid=1; Domain=nagaya.test", ["sid=1"]), ("sid=1; domain=.NAGAYA.test; Path=/", ["sid=1; Path=/"]),
    ("sid=1;DOMAIN =\tnagaya.test ; Secure", ["sid=1; Secure"]), ("sid=1; Domain=test", ["sid=1"]),
    ("sid=1; Domain=dev.blue.nagaya.test", ["sid=1"]), ("sid=1; Domain=evildemo.nagaya.test", ["sid=1"]),
    ("sid=1; Domain=demo.nagaya.test; Domain=nagaya.test", ["sid=1; Domain=demo.nagaya.test"]),
    ("sid=1; Domain=\"nagaya.test\"", ["sid=1"]), ("sid=1; Domain=demo.nagaya.test.", ["sid=1"]),
    ("sid=1; Domain", ["sid=1"]), ("sid=1; Domain=", ["sid=1"]), ("sid=1; Domain==nagaya.test", ["sid=1"]),
    ("sid=1, x=2; Domain=nagaya.test", ["sid=1, x=2"]), ("sid=1 Domain=nagaya.test", []),
    ("sid=1; Path=/, Domain=nagaya.test", []), ("Domain=x; Domain=nagaya.test", ["Domain=x"]),
    ("; Domain=nagaya.test", [""]),
    // What apps may do.
    ("sid=1; Domain=demo.nagaya.test; HttpOnly", ["sid=1; Domain=demo.nagaya.test; HttpOnly"]),
    ("sid=1; Domain=.dev.demo.nagaya.test", ["sid=1; Domain=.dev.demo.nagaya.test"]),
    ("mydomain=a b; Path=/", ["mydomain=a b; Path=/"]),
  ]

  @Test(
    "no Domain reaches above the tenant, in an answer, an early hint, a switched protocol or trailers", arguments: tries
  )
  func domains(said: String, kept: [String]) async throws {
    let field = "Set-Cookie: first=1\r\nSET-cookie: \(said)\r\nSet-Cookie2: \(said); Version=1\r\n"
    let answers: [(place: String, text: String, request: String)] = [
      ("head", "HTTP/1.1 200 OK\r\n\(field)Content-Length: 2\r\n\r\nok", ""),
      ("early hints", "HTTP/1.1 103 Early Hints\r\n\(field)\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", ""),
      (
        "switched protocol", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\(field)\r\nok",
        "Connection: Upgrade\r\nUpgrade: x\r\n"
      ),
      (
        "trailers",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: set-cookie\r\n\r\n2\r\nok\r\n0\r\n\(field)\r\n",
        ""
      ),
    ]
    for (place, text, request) in answers {
      let attack = Attack(.editor, "cookie \(said) in \(place)", on: .otherTraffic)
      let held = try await attempt(attack) {
        let pod = try await RawUpstream(saying: text)
        var seen = ""
        try await Stage.run([pod.endpoint]) { stage, _ in
          let end = place == "trailers" ? "0\r\n\r\n" : "\r\n\r\nok"
          seen = try await stage.send("GET / HTTP/1.1\r\nHost: \(Stage.host)\r\n\(request)\r\n", until: end)
        }
        await pod.stop()
        let fields = seen.split(separator: "\r\n", omittingEmptySubsequences: false).filter {
          $0.lowercased().hasPrefix("set-cookie")
        }.map(String.init)
        let expected = place == "trailers" ? [] : (["first=1"] + kept).map { "set-cookie: \($0)" }
        let isSame =
          fields.map {
            $0.replacing("Set-Cookie", with: "set-cookie").replacing("SET-cookie", with: "set-cookie")
              .trimmingCharacters(in: .whitespaces)
          } == expected.map { $0.trimmingCharacters(in: .whitespaces) }
        return .check(seen.contains("ok") && isSame, "\(fields) in \(seen.debugDescription)")
      }
      #expect(held)
    }
  }

  @Test("an answer does not clear the cookies of everybody's domain")
  func clearSiteData() async throws {
    let held = try await attempt(Attack(.editor, "Clear-Site-Data", on: .otherTraffic)) {
      let pod = try await RawUpstream(
        saying: "HTTP/1.1 200 OK\r\nClear-Site-Data: \"cookies\"\r\nContent-Length: 2\r\n\r\nok")
      var seen = ""
      try await Stage.run([pod.endpoint]) { stage, _ in seen = try await stage.curl(["-i"]).output }
      await pod.stop()
      return .check(seen.hasSuffix("ok") && !seen.lowercased().contains("clear-site-data"), seen)
    }
    #expect(held)
  }

  @Test("only domains of several labels need an entry in the public suffix list")
  func advice() {
    #expect(EdgeConfiguration.siteAdvice(for: "localhost") == nil)
    #expect(EdgeConfiguration.siteAdvice(for: "apps.example.com")?.contains("public suffix") == true)
  }
}
