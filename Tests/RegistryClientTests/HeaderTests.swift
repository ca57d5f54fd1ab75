import Testing

@testable import RegistryClient

@Suite("Headers and addresses")
struct HeaderTests {
  @Test(
    "Retry-After is seconds or a date",
    arguments: [
      ("120", 120), ("0", 0), ("999999999999", 86_400), ("Sun, 06 Nov 1994 08:49:37 GMT", 37),
      ("Sun, 06 Nov 1994 08:48:37 GMT", 0), ("Thu, 29 Feb 2024 00:00:00 GMT", 86_400), ("-1", nil), ("soon", nil),
      ("Sun, 06 Nov 1994 25:49:37 GMT", nil), ("", nil),
    ] as [(String, Int64?)])
  func retryAfter(_ text: String, _ seconds: Int64?) {
    // 6 November 1994, 08:49:00
    #expect(RetryAfter.duration(text, now: 784_111_740) == seconds.map { .seconds($0) })
  }

  @Test("Dates count leap days", arguments: [("01 Jan 1970", 0), ("29 Feb 2024", 19_782), ("01 Mar 2100", 47_541)])
  func dates(_ day: String, _ days: Int64) {
    #expect(RetryAfter.date("Mon, \(day) 00:00:00 GMT") == days * 86_400)
  }

  @Test("Content-Range is read strictly")
  func contentRange() {
    #expect(ContentRange("bytes 0-99/1000")?.range == 0..<100)
    #expect(ContentRange("bytes 0-99/1000")?.size == 1000)
    #expect(ContentRange("Bytes 5-5/*")?.range == 5..<6)
    for text in [
      "bytes 5-4/9", "bytes 0-9/9", "bytes -9/10", "bytes */10", "items 0-1/2", "bytes 0-9", "bytes +0-9/10",
      "bytes 0-9223372036854775807/*",
    ] {
      #expect(ContentRange(text) == nil, "\(text)")
    }
  }

  @Test("Challenges are read, several in one header too")
  func challenges() {
    let bearer = AuthenticationChallenge.parse(
      #"Bearer realm="https://auth.example/token?a=b,c",service="reg \"x\"",scope="repository:a/b:pull,push""#)
    #expect(bearer.count == 1)
    #expect(bearer[0].scheme == "bearer")
    #expect(bearer[0].parameters["realm"] == "https://auth.example/token?a=b,c")
    #expect(bearer[0].parameters["service"] == "reg \"x\"")
    #expect(bearer[0].parameters["scope"] == "repository:a/b:pull,push")
    let two = AuthenticationChallenge.parse("Negotiate, Basic realm=plain, charset=\"UTF-8\"")
    #expect(two.map(\.scheme) == ["negotiate", "basic"])
    #expect(two[1].parameters == ["realm": "plain", "charset": "UTF-8"])
    #expect(AuthenticationChallenge.parse("").isEmpty)
    #expect(AuthenticationChallenge.parse("Bearer realm=\"open").first?.parameters.isEmpty == true)
    #expect(AuthenticationChallenge.parse(String(repeating: "a ", count: 50_000)).count == 16)
  }

  @Test(
    "Addresses are resolved as RFC 3986 says",
    arguments: [
      ("https://b.example/x?y", "https://b.example/x?y"), ("//b.example/x", "https://b.example/x"),
      ("/x?y", "https://a.example:444/x?y"), ("x", "https://a.example:444/v2/x"),
      ("?q", "https://a.example:444/v2/y?q"),
      ("HTTP://B.Example:80", "http://b.example/"), ("https://[::1]:9/x", "https://[::1]:9/x"),
      ("javascript:alert(1)", nil),
      ("ftp://x/", nil), ("https://", nil), ("https://u@x/", nil), ("https://x:0/", nil), ("https://x:99999/", nil),
      ("https://x/a b", nil), ("https://x/\r\nHost: y", nil), ("", nil), ("https://x/#f", "https://x/"),
    ] as [(String, String?)])
  func addresses(_ text: String, _ url: String?) {
    let base = HTTPAddress("https://a.example:444/v2/y?z")
    #expect(HTTPAddress(text, relativeTo: base)?.url == url)
  }
}
