import Glibc
import Hummingbird
public import JSONDocument
import LinuxSystem
import Logging
import ProcessMetrics

/// HTTP on a unix socket that only its owner can open: `GET /metrics`, `GET /v1/hooks`,
/// `GET /v1/containers?namespace=&pod=`, `GET /v1/limits?after=VERSION`: what was changed of running containers since.
struct HookStatusServer: Sendable {
  let socket: String
  let hooks: NodeHooks
  let logger: Logger

  func run() async throws {
    try Directory.make(String(socket[..<(socket.lastIndex(of: "/") ?? socket.startIndex)]), permissions: 0o700)
    try Directory.removeFile(socket)
    let router = Router()
    let hooks = hooks
    router.get("/metrics") { _, _ in
      let known = hooks.known
      let metrics = HookMetrics.metrics(
        hooks.counters.now, containers: known.containers, unadjusted: known.unadjusted,
        policies: hooks.source.policies.policies.count)
      return Response(
        status: .ok, headers: [.contentType: MetricsText.contentType],
        body: .init(byteBuffer: ByteBuffer(string: metrics.text)))
    }
    router.get("/v1/hooks") { _, _ in
      let known = hooks.known
      return Self.json([
        "connected": .bool(hooks.counters.now.isConnected), "containers": JSONValue(known.containers),
        "unadjusted": JSONValue(known.unadjusted), "policies": JSONValue(hooks.source.policies.policies.count),
        "pid": JSONValue(Int(getpid())),
      ])
    }
    router.get("/v1/containers") { request, _ in
      let query = request.uri.queryParameters
      let reports = hooks.decisions(
        namespace: query["namespace"].map(String.init), pod: query["pod"].map(String.init))
      return Self.json(["containers": .array(reports.map(\.json))])
    }
    router.get("/v1/limits") { request, _ in
      Self.json(hooks.limits(after: request.uri.queryParameters["after"].map(String.init) ?? ""))
    }
    let path = socket
    // Nobody else opens it between its making and the change of its mode: the directory is its owner's.
    let application = Application(
      router: router,
      configuration: ApplicationConfiguration(address: .unixDomainSocket(path: path), serverName: "nagaya"),
      onServerRunning: { _ in chmod(path, 0o600) }, logger: logger)
    try await application.runService(gracefulShutdownSignals: [])
  }

  private static func json(_ value: JSONValue) -> Response {
    Response(
      status: .ok, headers: [.contentType: "application/json"],
      body: .init(byteBuffer: ByteBuffer(bytes: value.encoded())))
  }
}

extension ContainerReport {
  public var json: JSONValue {
    [
      "namespace": .string(namespace), "pod": .string(pod), "container": .string(container), "id": .string(id),
      "adjusted": .bool(isAdjusted), "changes": .array(lines.map { .string($0) }),
    ]
  }
}
