import CertificateAuthority
import Edge
import Foundation
import KubernetesAPI
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import Subprocess

/// An edge with real TLS on the loopback, and clients for it.
final class Stage: Sendable {
  static let domain = "nagaya.test"
  static let app = ObjectKey(namespace: "demo-dev", name: "hello")
  static let host = "hello.dev.demo.nagaya.test"

  let server: EdgeServer
  let port: Int
  let directory: String

  private init(server: EdgeServer, port: Int, directory: String) {
    self.server = server
    self.port = port
    self.directory = directory
  }

  /// Runs `body` with an edge whose app `hello` has the given pods, and takes everything down.
  static func run(
    _ endpoints: [Endpoint], limits: EdgeConfiguration.Limits = .init(),
    _ body: (Stage, RoutingTable) async throws -> Void
  ) async throws {
    let directory = "/tmp/nagaya-edge-\(UInt64.random(in: .min ... .max))"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let authority = try CertificateAuthority.loadOrCreate(directory: directory)
    try authority.certificatePEM.write(toFile: "\(directory)/trust.pem", atomically: true, encoding: .utf8)
    var limits = limits
    limits.drain = min(limits.drain, .seconds(2))
    let routes = RoutingTable()
    routes.setEnvironment(TenantEnvironment(tenant: "demo", name: "dev"), ofNamespace: app.namespace)
    routes.setApp(app, reason: "", message: "")
    routes.setSlice(ObjectKey(namespace: "demo-dev", name: "s"), service: app, ready: endpoints)
    let server = try await EdgeServer(
      EdgeConfiguration(address: "127.0.0.1", port: 0, domain: domain, limits: limits), routes: routes,
      certificates: LeafCache(signer: LocalLeafSigning(authority, domain: domain), domain: domain),
      logger: Logger(label: "edge"))
    let port = try await server.start().port ?? 0
    let stage = Stage(server: server, port: port, directory: directory)
    do { try await body(stage, routes) } catch {
      await server.stop()
      throw error
    }
    await server.stop()
  }

  static func setPods(_ routes: RoutingTable, _ endpoints: [Endpoint]) {
    routes.setSlice(ObjectKey(namespace: "demo-dev", name: "s"), service: app, ready: endpoints)
  }

  struct Answer {
    var output: String
    var error: String
    var isSuccess: Bool
  }

  /// The real curl, trusting the platform's authority only.
  func curl(_ arguments: [String], host: String = Stage.host, path: String = "/") async throws -> Answer {
    try await command(
      "curl",
      ["-sS", "-m", "60", "--cacert", "\(directory)/trust.pem", "--resolve", "\(host):\(port):127.0.0.1"] + arguments
        + ["https://\(host):\(port)\(path)"])
  }

  func command(_ name: String, _ arguments: [String]) async throws -> Answer {
    let result = try await Subprocess.run(
      .name(name), arguments: Arguments(arguments), output: .string(limit: 4 << 20), error: .string(limit: 1 << 20))
    return Answer(
      output: result.standardOutput, error: result.standardError, isSuccess: result.terminationStatus.isSuccess)
  }

  /// A TLS connection for bytes of one's own; `body` gets what is read and a way to write.
  func connect<Result: Sendable>(
    _ body: @Sendable (inout RawReader, NIOAsyncChannelOutboundWriter<ByteBuffer>) async throws -> Result
  ) async throws -> Result {
    try await open("http/1.1").executeThenClose { inbound, outbound in
      var reader = RawReader(inbound.makeAsyncIterator())
      return try await body(&reader, outbound)
    }
  }

  /// The same, on which HTTP/2 was agreed.
  func http2<Result: Sendable>(
    _ body: @Sendable (inout FrameReader, NIOAsyncChannelOutboundWriter<ByteBuffer>) async throws -> Result
  ) async throws -> Result {
    try await open("h2").executeThenClose { inbound, outbound in
      var reader = FrameReader(inbound.makeAsyncIterator())
      return try await body(&reader, outbound)
    }
  }

  /// - Parameter application: the protocol to agree on (ALPN).
  private func open(_ application: String) async throws -> NIOAsyncChannel<ByteBuffer, ByteBuffer> {
    var tls = TLSConfiguration.makeClientConfiguration()
    tls.trustRoots = .file("\(directory)/trust.pem")
    tls.applicationProtocols = [application]
    let context = try NIOSSLContext(configuration: tls)
    return try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .connect(host: "127.0.0.1", port: port) { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(
            NIOSSLClientHandler(context: context, serverHostname: Stage.host))
          return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
        }
      }
  }

  /// Sends bytes as they are and returns everything up to the end of the connection, or up to `marker`.
  func send(_ text: String, until marker: String? = nil) async throws -> String {
    try await connect { reader, writer in
      try await writer.write(ByteBuffer(string: text))
      if let marker { return try await reader.read(until: marker) }
      return try await reader.readAll()
    }
  }
}

/// Reads a connection piece by piece.
struct RawReader {
  private var iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
  private var text = ""

  init(_ iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator) { self.iterator = iterator }

  /// Everything up to and with `marker`; what follows stays for the next read.
  mutating func read(until marker: String) async throws -> String {
    while true {
      if let range = text.range(of: marker) {
        defer { text = String(text[range.upperBound...]) }
        return String(text[..<range.upperBound])
      }
      guard let more = try await iterator.next() else { return text }
      text += String(buffer: more)
    }
  }

  mutating func readAll() async throws -> String {
    do { while let more = try await iterator.next() { text += String(buffer: more) } } catch is NIOSSLError {}
    return text
  }
}
