import Glibc
import Hummingbird
import JSONDocument
import LinuxSystem
public import Logging
import ProcessMetrics
public import ServiceLifecycle

/// What the status socket answers with.
public protocol ImagesStatusSource: Sendable {
  func report() async -> ImagesReport
  func metrics() async -> String
  /// What is in progress, and what it waits for.
  func progress() -> CallsReport
  /// Removes content of layers that nothing uses until the rest fits.
  func collect(keepBytes: Int64) async throws -> CollectionResult
}

/// What a collection of unused layers freed.
public struct CollectionResult: Sendable, Hashable {
  public var layers: Int
  public var freedBytes: Int64
  /// What is left on this machine.
  public var keptBytes: Int64

  var json: JSONValue {
    ["layers": .integer(Int64(layers)), "freedBytes": .integer(freedBytes), "keptBytes": .integer(keptBytes)]
  }
}

/// HTTP on a unix socket that only root can open: `GET /v1/images`, `GET /v1/calls`, `GET /metrics`, `POST /v1/gc?keep=BYTES`.
public struct StatusServer: Service {
  private let socket: String
  private let source: any ImagesStatusSource
  private let logger: Logger

  public init(socket: String, source: any ImagesStatusSource, logger: Logger) {
    self.socket = socket
    self.source = source
    self.logger = logger
  }

  public func run() async throws {
    try Directory.removeFile(socket)
    let router = Router()
    let source = source
    router.get("/v1/images") { _, _ in Self.json(await source.report().json) }
    router.get("/v1/calls") { _, _ in Self.json(source.progress().json) }
    router.get("/metrics") { _, _ in
      Response(
        status: .ok, headers: [.contentType: MetricsText.contentType],
        body: .init(byteBuffer: ByteBuffer(string: await source.metrics())))
    }
    router.post("/v1/gc") { request, _ in
      guard let keep = request.uri.queryParameters["keep"].flatMap({ Int64($0) }), keep >= 0 else {
        return Self.json(["message": "give ?keep= and a number of bytes"], status: .badRequest)
      }
      do {
        return Self.json(try await source.collect(keepBytes: keep).json)
      } catch {
        return Self.json(["message": .string("\(error)")], status: .internalServerError)
      }
    }
    let path = socket
    let application = Application(
      router: router,
      configuration: ApplicationConfiguration(
        address: .unixDomainSocket(path: path), serverName: "nagaya"),
      onServerRunning: { _ in chmod(path, 0o600) }, logger: logger)
    try await application.runService(gracefulShutdownSignals: [])
  }

  private static func json(_ value: JSONValue, status: HTTPResponse.Status = .ok) -> Response {
    Response(
      status: status, headers: [.contentType: "application/json"],
      body: .init(byteBuffer: ByteBuffer(bytes: value.encoded())))
  }
}
