import Crypto
import Foundation
import Locking
import NIOCore
import NIOPosix
import NIOSSL
import SwiftASN1
import TestSupport
import Testing
import X509

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
  func aHostHasItsCertificateName(host: String, name: String?) async throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    #expect(LeafNames(domain: "apps.test").certificateName(forHost: host) == name)
    let signer = LocalLeafSigning(try .loadOrCreate(directory: directory.path), domain: "apps.test")
    let cache = LeafCache(signer: signer, domain: "apps.test")
    #expect(try await (cache.certificate(forHost: host) != nil) == (name != nil))
  }

  @Test func leavesAreMadeOncePerEnvironmentAndTheLeastRecentlyUsedGoes() async throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let signer = LocalLeafSigning(try .loadOrCreate(directory: directory.path), domain: "localhost")
    let cache = LeafCache(signer: signer, domain: "localhost", capacity: 2)
    func ask(_ host: String, after days: Double = 0) async throws {
      _ = try #require(
        try await cache.certificate(
          forHost: "\(host).shop.localhost", now: Date().addingTimeInterval(days * 86_400)))
    }
    try await ask("a.one")
    try await ask("b.one")
    #expect(cache.counts == (1, 1))
    try await ask("a.two")
    try await ask("a.one")
    try await ask("a.three")  // two goes
    #expect(cache.counts == (2, 3))
    try await ask("c.one")
    #expect(cache.counts == (2, 3))
    try await ask("a.two")
    #expect(cache.counts == (2, 4))
    try await ask("a.two", after: 300)  // served, and renewed before its time is over
    try await eventually("renewed") { cache.counts == (2, 5) }
    // Many that ask at once for the same get one.
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<50 { group.addTask { try await ask("x\(number).four") } }
      try await group.waitForAll()
    }
    #expect(cache.counts == (2, 6))
  }

  /// Signs when it is let, and counts how often it was asked.
  private final class Moody: LeafSigning {
    struct Away: Error {}
    let signer: LocalLeafSigning
    let asked = Mutex(0)
    let isAway = Mutex(false)
    let gate = Mutex<[CheckedContinuation<Void, Never>]?>(nil)
    init(_ signer: LocalLeafSigning) { self.signer = signer }

    func sign(host: String, request: String) async throws -> String {
      asked.withLock { $0 += 1 }
      if gate.withLock({ $0 != nil }) {
        await withCheckedContinuation { continuation in gate.withLock { $0?.append(continuation) } }
      }
      if isAway.withLock({ $0 }) { throw Away() }
      return try signer.sign(host: host, request: request)
    }
  }

  @Test func whileNobodySignsWhatIsThereServesAndTheRestIsBounded() async throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let moody = Moody(LocalLeafSigning(try .loadOrCreate(directory: directory.path), domain: "localhost"))
    let cache = LeafCache(signer: moody, domain: "localhost")
    _ = try await cache.certificate(forHost: "a.one.shop.localhost")
    moody.isAway.withLock { $0 = true }
    await #expect(throws: Moody.Away.self) { try await cache.certificate(forHost: "a.two.shop.localhost") }
    // Due, and still good: it serves, and the renewal that fails is not tried with every handshake.
    cache.renew()
    // All at one moment: the patience after a failure is not to end while this machine is slow.
    let now = Date()
    for _ in 0..<5 { #expect(try await cache.certificate(forHost: "b.one.shop.localhost", now: now) != nil) }
    try await eventually("one renewal was tried") { moody.asked.withLock { $0 } == 3 }
    for _ in 0..<5 { #expect(try await cache.certificate(forHost: "b.one.shop.localhost", now: now) != nil) }
    #expect(moody.asked.withLock { $0 } == 3)
    // Its time is over.
    await #expect(throws: Moody.Away.self) {
      try await cache.certificate(forHost: "b.one.shop.localhost", now: Date().addingTimeInterval(400 * 86_400))
    }
    moody.isAway.withLock { $0 = false }
    #expect(try await cache.certificate(forHost: "a.two.shop.localhost") != nil)
    // Names that are made up wait in a bounded number.
    moody.gate.withLock { $0 = [] }
    let before = moody.asked.withLock { $0 }
    await withTaskGroup(of: Bool.self) { group in
      for number in 0..<200 {
        group.addTask {
          do { return try await cache.certificate(forHost: "a.b\(number).c.localhost") != nil } catch {
            return (error as? LeafCache.Failure) != .tooManyAtOnce
          }
        }
      }
      var refused = 0
      for await isThere in group {
        if !isThere { refused += 1 }
        if refused == 200 - LeafCache.pendingLimit { break }
      }
      let waiting = moody.gate.withLock { gate in
        defer { gate = nil }
        return gate ?? []
      }
      for continuation in waiting { continuation.resume() }
      for await isThere in group where !isThere { refused += 1 }
      #expect(refused == 200 - LeafCache.pendingLimit)
    }
    #expect(moody.asked.withLock { $0 } == before + LeafCache.pendingLimit)
  }

  @Test func onlyRequestsThatAreSignedByTheirOwnKeyAreSigned() throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let authority = try CertificateAuthority.loadOrCreate(directory: directory.path)
    let leaf = LeafRequest.server(commonName: "a", dnsNames: ["a.localhost"], ipAddresses: [])
    func request(_ key: Certificate.PrivateKey, _ algorithm: Certificate.SignatureAlgorithm) throws -> String {
      try CertificateSigningRequest(
        version: .v1, subject: try DistinguishedName { CommonName("evil.example") }, privateKey: key,
        attributes: CertificateSigningRequest.Attributes(), signatureAlgorithm: algorithm
      ).serializeAsPEM().pemString
    }
    let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
    let good = try request(key, .ecdsaWithSHA256)
    let signed = try Certificate(pemEncoded: try authority.sign(leaf, request: good))
    // What the request says of names does not count.
    #expect(signed.publicKey == key.publicKey && !"\(signed)".contains("evil.example"))
    // The last bytes are the signature's: one that is another's, and one of another kind of key.
    var forged = try PEMDocument(pemString: good).derBytes
    forged[forged.count - 1] ^= 1
    let wrong = [
      "", "nothing", String(repeating: "A", count: 100_000),
      PEMDocument(type: "CERTIFICATE REQUEST", derBytes: forged).pemString,
      try request(.init(P384.Signing.PrivateKey()), .ecdsaWithSHA384),
      try String(contentsOfFile: "\(directory.path)/ca.crt", encoding: .utf8),
    ]
    for text in wrong {
      #expect(throws: CertificateAuthorityError.invalidRequest) { try authority.sign(leaf, request: text) }
    }
  }

  @Test func curlTrustsTheCertificateThatTheCacheChoosesByServerName() async throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let authority = try CertificateAuthority.loadOrCreate(directory: directory.path)
    let cache = LeafCache(signer: LocalLeafSigning(authority, domain: "localhost"), domain: "localhost")
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
