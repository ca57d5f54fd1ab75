import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import Testing

@testable import CertificateAuthority

@Suite struct LeafCacheTests {
  @Test(
    arguments: [
      ("hello.dev.demo.apps.test", "*.dev.demo.apps.test"), ("HELLO.Dev.demo.Apps.TEST.", "*.dev.demo.apps.test"),
      ("dev.demo.apps.test", "*.demo.apps.test"), ("portal.apps.test", "portal.apps.test"), ("apps.test", "apps.test"),
      ("a.b.c.d.apps.test", nil), ("example.com", nil), ("evilapps.test", nil), ("", nil), (".", nil),
      ("*.apps.test", nil), ("..apps.test", nil), ("a b.apps.test", nil), ("a..b.apps.test", nil),
      ("*.dev.demo.apps.test", nil), (".dev.demo.apps.test", nil),
    ] as [(String, String?)])
  func aHostHasItsCertificateName(host: String, name: String?) throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let cache = LeafCache(
      authority: try CertificateAuthority.loadOrCreate(directory: directory.path), domain: "apps.test")
    #expect(cache.certificateName(forHost: host) == name)
    #expect(try (cache.certificate(forHost: host) != nil) == (name != nil))
  }

  @Test func leavesAreIssuedOncePerEnvironmentAndTheLeastRecentlyUsedGoes() throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let authority = try CertificateAuthority.loadOrCreate(directory: directory.path)
    let cache = LeafCache(authority: authority, domain: "localhost", capacity: 2)
    func ask(_ host: String, after days: Double = 0) throws {
      _ = try #require(
        try cache.certificate(forHost: "\(host).shop.localhost", now: Date().addingTimeInterval(days * 86_400)))
    }
    try ask("a.one")
    try ask("b.one")
    #expect(cache.counts == (1, 1))
    try ask("a.two")
    try ask("a.one")
    try ask("a.three")  // two goes
    #expect(cache.counts == (2, 3))
    try ask("c.one")
    #expect(cache.counts == (2, 3))
    try ask("a.two")
    #expect(cache.counts == (2, 4))
    try ask("a.two", after: 300)  // renewed before its time is over
    #expect(cache.counts == (2, 5))
  }

  @Test func curlTrustsTheCertificateThatTheCacheChoosesByServerName() async throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let authority = try CertificateAuthority.loadOrCreate(directory: directory.path)
    let cache = LeafCache(authority: authority, domain: "localhost")
    let standard = try authority.issueServer(commonName: "edge", dnsNames: ["localhost"])
    var tls = TLSConfiguration.makeServerConfiguration(
      certificateChain: try standard.certificateChain(), privateKey: try standard.privateKey())
    tls.sslContextCallback = cache.contextCallback
    let context = try NIOSSLContext(configuration: tls)
    let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
          try channel.pipeline.syncOperations.addHandler(FixedAnswer())
        }
      }.bind(host: "127.0.0.1", port: 0).get()
    let port = try #require(channel.localAddress?.port)
    func fetch(_ host: String) throws -> (status: Int32, output: String) {
      try run(
        "curl",
        [
          "-sS", "--max-time", "20", "--cacert", "\(directory.path)/ca.crt", "--resolve", "\(host):\(port):127.0.0.1",
          "https://\(host):\(port)/",
        ])
    }
    for host in [
      "hello.dev.demo.localhost", "other.dev.demo.localhost", "portal.localhost", "localhost",
    ] {
      #expect(try fetch(host).output == "ok", "\(host)")
    }
    let (status, output) = try fetch("a.b.c.d.localhost")
    #expect(status == 60, "\(output)")
    #expect(cache.counts == (3, 3))
    try await channel.close()
  }
}

/// Answers any request with `ok` and closes.
private final class FixedAnswer: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let answer = ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
    context.close(promise: nil)
  }
}
