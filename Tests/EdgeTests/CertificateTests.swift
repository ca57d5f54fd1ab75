import Edge
import Testing

@Suite("Certificates of the edge")
struct CertificateTests {
  @Test(
    "each environment has a wildcard certificate that openssl verifies",
    arguments: [
      ("hello.dev.demo.nagaya.test", "DNS:*.dev.demo.nagaya.test"),
      ("web.prod.shop.nagaya.test", "DNS:*.prod.shop.nagaya.test"), ("nagaya.test", "DNS:nagaya.test"),
      ("example.org", "DNS:nagaya.test"),
    ])
  func names(host: String, expected: String) async throws {
    try await Stage.run([]) { stage, _ in
      let shown = try await stage.command(
        "sh",
        [
          "-c",
          // The server's first HTTP/2 frame may be among the text: -a.
          "openssl s_client -connect 127.0.0.1:\(stage.port) -servername \(host) -CAfile \(stage.directory)/trust.pem "
            + "-verify_return_error -alpn h2 </dev/null >\(stage.directory)/session 2>/dev/null; "
            + "openssl x509 -noout -ext subjectAltName <\(stage.directory)/session; "
            + "grep -aE 'Verify return code|ALPN protocol' \(stage.directory)/session",
        ])
      #expect(shown.output.contains(expected + "\n"), "\(shown.output)\(shown.error)")
      #expect(shown.output.contains("Verify return code: 0 (ok)"), "\(shown.output)")
      #expect(shown.output.contains("ALPN protocol: h2"), "\(shown.output)")
    }
  }

  @Test("TLS older than 1.2 is refused")
  func oldTLS() async throws {
    try await Stage.run([]) { stage, _ in
      let answer = try await stage.curl(["--tls-max", "1.1"])
      #expect(!answer.isSuccess)
    }
  }
}
