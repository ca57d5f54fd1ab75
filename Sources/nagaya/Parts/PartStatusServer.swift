import Foundation
import Hummingbird
import HummingbirdCore
import LinuxSystem
import Logging
import ProcessMetrics
import ProcessSupervision
import ServiceLifecycle

/// What a part says of itself, by HTTP: `GET /metrics`, `/livez`, `/healthz`, and `/readyz`, which is 503 until the part is ready.
///
/// It listens on a socket that only root opens, and on an address where it is told one: what it says there is for anybody who
/// reaches it, and holds no names but those of apps and their namespaces, kinds, pools and nodes.
struct PartStatusServer: Service {
  enum Place: Sendable {
    case socket(String)
    case address(host: String, port: Int)
  }

  let place: Place
  let isReady: @Sendable () -> Bool
  let logger: Logger

  func run() async throws {
    var quiet = logger
    quiet.logLevel = max(logger.logLevel, .warning)
    // Whoever reaches it must not be able to take the part's descriptors.
    let application = Application(
      router: router(), server: .http1(configuration: .init(idleTimeout: .seconds(30))),
      configuration: ApplicationConfiguration(
        address: try address(), serverName: "nagaya",
        availableConnectionsDelegate: MaximumAvailableConnections(64, logger: quiet)),
      onServerRunning: { [place] _ in if case .socket(let path) = place { chmod(path, 0o600) } }, logger: quiet)
    try await application.runService(gracefulShutdownSignals: [])
  }

  /// Where to listen; what an earlier process left there is removed.
  private func address() throws -> BindAddress {
    switch place {
    case .address(let host, let port): return .hostname(host, port: port)
    case .socket(let path):
      try Directory.make(
        String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]), permissions: 0o700)
      try Directory.removeFile(path)
      return .unixDomainSocket(path: path)
    }
  }

  private func router() -> Router<BasicRequestContext> {
    let router = Router()
    let isReady = isReady
    router.get("/metrics") { _, _ in
      var metrics = await MetricsRegistry.process.metrics
      metrics.merge(ProcessFigures.metrics)
      metrics.gauge("nagaya_part_ready", "Whether others may rely on the part.", isReady() ? 1 : 0)
      return Self.text(.ok, metrics.text, MetricsText.contentType)
    }
    for path in ["/livez", "/healthz"] { router.get("\(path)") { _, _ in Self.text(.ok, "ok") } }
    router.get("/readyz") { _, _ in
      isReady() ? Self.text(.ok, "ok") : Self.text(.serviceUnavailable, "not ready yet")
    }
    return router
  }

  private static func text(
    _ status: HTTPResponse.Status, _ text: String, _ type: String = "text/plain; charset=utf-8"
  ) -> Response {
    Response(status: status, headers: [.contentType: type], body: .init(byteBuffer: ByteBuffer(string: text)))
  }
}

/// `HOST:PORT`, as `--metrics-address` takes it.
struct ListenAddress: Hashable, Sendable {
  var host: String
  var port: Int

  /// `nil` if the text is no address: `127.0.0.1:9810`, `[::1]:9810`, `:9810`.
  init?(_ text: String) {
    guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]), 1...65535 ~= port
    else { return nil }
    var host = String(text[..<colon])
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = String(host.dropFirst().dropLast())
    } else if host.contains(":") {
      return nil
    }
    self.host = host.isEmpty ? "0.0.0.0" : host
    self.port = port
  }
}
