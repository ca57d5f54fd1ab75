import LayerStore
import OCI

/// Answers the status socket from the store and the resolver.
struct ImagesStatus: ImagesStatusSource {
  let store: LayerStore
  let resolver: LayerResolver
  let snapshots: SnapshotServer
  let calls: CallRegister

  func report() async -> ImagesReport {
    let layers = await store.layers()
    var containers: [Digest: [String]] = [:]
    for layer in layers {
      guard let since = layer.lost.map(\.since).max() else { continue }
      containers[layer.key.blob] = await snapshots.users(of: layer.key, before: since)
    }
    return ImagesReport(
      images: await resolver.images(), decisions: await resolver.decisions(), layers: layers, fill: store.fill,
      lostContainers: containers)
  }

  func metrics() async -> String {
    ImagesMetrics.metrics(
      await store.layers(), decisions: await resolver.decisions(), fill: store.fill, gauges: await store.gauges,
      calls: calls
    ).text
  }

  /// From what needs no actor: it answers whoever is stuck.
  func progress() -> CallsReport { CallsReport(calls) }

  func collect(keepBytes: Int64) async throws -> CollectionResult {
    try await CacheCollection(store: store).run(keepBytes: keepBytes)
  }
}
