import Foundation
import LayerStore
import LinuxSystem
import Logging
import OCI

@testable import LazyImages

/// A resolver over a real store and real mounts, in this process.
enum ResolverFixture {
  /// Runs a body with a directory that is gone afterwards.
  static func inDirectory(_ body: (String) async throws -> Void) async throws {
    let directory = "/tmp/nagaya-resolver-\(UUID().uuidString.prefix(8))"
    for name in ["", "/layers", "/run"] { try Directory.make(directory + name, permissions: 0o700) }
    defer { SnapshotterFixture.clean(directory) }
    try await body(directory)
  }

  /// Runs a body with a resolver that works meanwhile.
  /// - Parameter proves: whether layers are completed and proven in the background; otherwise nothing is fetched there.
  static func with(
    _ origins: any LayerOrigins, in directory: String, proves: Bool = false, fill: FillChoice = .auto,
    _ body: @escaping @Sendable (LayerResolver, LayerStore) async throws -> Void
  ) async throws {
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    var configuration = LayerStore.Configuration(directory: "\(directory)/layers", runDirectory: "\(directory)/run")
    configuration.backgroundBytesPerSecond = proves ? nil : 0
    configuration.provesLayers = proves
    configuration.fill = fill
    let store = try await LayerStore.open(configuration, sources: OriginSources(origins: origins), logger: logger)
    let resolver = try LayerResolver(store: store, origins: origins, directory: directory, logger: logger)
    try await withThrowingTaskGroup { group in
      group.addTask { try await store.run() }
      group.addTask { await resolver.run() }
      let result: Result<Void, any Error>
      do {
        try await body(resolver, store)
        result = .success(())
      } catch { result = .failure(error) }
      await store.unmountAll()
      group.cancelAll()
      try? await group.waitForAll()
      try result.get()
    }
  }
}
