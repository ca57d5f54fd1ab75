import KubernetesAPI
import KubernetesClient
import Logging
import ObjectStore

extension APIServer {
  /// A server that remembers nothing, for tests: it answers at once; `run()` it for garbage collection and bookmarks,
  /// or use `withInMemory`.
  public static func inMemory(
    registry: ResourceRegistry = .standard, authorizer: (any ObjectReading) -> any Authorizing = { _ in AllowAll() },
    virtualResources: (any ObjectReading, any Authorizing) -> [any VirtualResourceHandling] = { _, _ in [] },
    admission: (any ObjectReading) -> [any WriteAdmitting] = { _ in [] },
    logs: (any PodLogSource)? = nil, configuration: APIServerConfiguration = APIServerConfiguration(),
    logger: Logger = Logger(label: "nagaya.apiserver")
  ) async throws -> APIServer {
    try await APIServer(
      store: MemoryObjectStore(), registry: registry, authorizer: authorizer,
      virtualResources: virtualResources, admission: admission, logs: logs,
      configuration: configuration, logger: logger)
  }

  /// Runs `body` with a server in memory and its background services, and ends both.
  public static func withInMemory<Result: Sendable>(
    registry: ResourceRegistry = .standard, configuration: APIServerConfiguration = APIServerConfiguration(),
    logger: Logger = Logger(label: "nagaya.apiserver"), namespaces: [String] = ["default"],
    virtualResources: (any ObjectReading, any Authorizing) -> [any VirtualResourceHandling] = { _, _ in [] },
    _ body: @Sendable (APIServer) async throws -> Result
  ) async throws -> Result {
    let server = try await inMemory(
      registry: registry, virtualResources: virtualResources, configuration: configuration, logger: logger)
    let client = server.client()
    for namespace in namespaces {
      try await client.create(KubernetesObject(.namespaces, name: namespace), as: .namespaces)
    }
    return try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.run() }
      defer { group.cancelAll() }
      return try await body(server)
    }
  }
}
