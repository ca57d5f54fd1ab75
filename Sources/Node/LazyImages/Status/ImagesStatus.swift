import LayerStore
import OCI

/// Answers the status socket from the store and the resolver.
struct ImagesStatus: ImagesStatusSource {
  let store: LayerStore
  let resolver: LayerResolver

  func report() async -> ImagesReport {
    ImagesReport(
      images: await resolver.images(), decisions: await resolver.decisions(), layers: await store.layers(),
      fill: store.fill)
  }

  func metrics() async -> String {
    ImagesMetrics.render(await store.layers(), decisions: await resolver.decisions(), fill: store.fill)
  }

  func collect(keepBytes: Int64) async throws -> CollectionResult {
    try await CacheCollection(store: store).run(keepBytes: keepBytes)
  }
}
