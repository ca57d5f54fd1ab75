import AsyncHTTPClient
import CertificateAuthority
import Edge
import Foundation
import KubernetesAPI
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Two tenants' apps behind one edge, for what one's clients do to the other's.
///
/// The flood comes from 127.0.0.1, the other's client is 127.0.0.2: the edge counts connections by address.
enum EdgeFairness {
  static let domain = "localhost"
  static let tenants = ["greedy", "other"]

  static func host(of tenant: String) -> String { "app.prod.\(tenant).\(domain)" }

  /// Runs an edge with an app of each tenant; `body` gets its port.
  static func serve(_ directory: String, logger: Logger, _ body: (Int) async throws -> Void) async throws {
    let group = MultiThreadedEventLoopGroup.singleton
    let pod = try await ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: 1024)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.configureHTTPServerPipeline()
          try channel.pipeline.syncOperations.addHandler(Pod())
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    let routes = RoutingTable()
    for tenant in tenants {
      let app = ObjectKey(namespace: "\(tenant)-prod", name: "app")
      routes.setEnvironment(TenantEnvironment(tenant: tenant, name: "prod"), ofNamespace: app.namespace)
      routes.setApp(app, reason: "", message: "")
      routes.setSlice(
        ObjectKey(namespace: app.namespace, name: "s"), service: app,
        ready: [Endpoint(address: "127.0.0.1", port: pod.localAddress?.port ?? 0)])
    }
    let server = try await EdgeServer(
      EdgeConfiguration(address: "127.0.0.1", port: 0, domain: domain), routes: routes,
      certificates: LeafCache(
        signer: LocalLeafSigning(try .loadOrCreate(directory: "\(directory)/edge"), domain: domain), domain: domain),
      logger: logger)
    let port = try await server.start().port ?? 0
    try await body(port)
    await server.stop()
    try await pod.close()
  }

  /// A client of one tenant's app.
  struct Client: Sendable {
    private let http: HTTPClient
    private let url: String

    init(of tenant: String, port: Int, from address: String) {
      var tls = TLSConfiguration.makeClientConfiguration()
      tls.certificateVerification = .none
      var configuration = HTTPClient.Configuration(tlsConfiguration: tls)
      configuration.dnsOverride = [EdgeFairness.host(of: tenant): "127.0.0.1"]
      configuration.localAddress = address
      configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 1000
      http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
      url = "https://\(EdgeFairness.host(of: tenant)):\(port)/"
    }

    /// The answer's status, once all of it has come.
    func get() async throws -> UInt {
      let response = try await http.execute(HTTPClientRequest(url: url), timeout: .seconds(60))
      for try await _ in response.body {}
      return response.status.code
    }

    func shutdown() async { try? await http.shutdown() }
  }

  /// Answers everything with a few bytes.
  private final class Pod: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      guard case .end = unwrapInboundIn(data) else { return }
      let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: ["content-length": "6"])
      context.write(wrapOutboundOut(.head(head)), promise: nil)
      context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: "hello\n")))), promise: nil)
      context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
  }
}
