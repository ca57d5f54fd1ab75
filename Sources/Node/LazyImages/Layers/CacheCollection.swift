import LayerStore
import Logging
import ServiceLifecycle

/// Removes content of layers that nothing uses, those that were not used for the longest time first.
///
/// A layer's metadata and its index stay: the next container of its image reads it lazily, though it may be a plain one.
struct CacheCollection {
  let store: LayerStore

  func run(keepBytes: Int64) async throws -> CollectionResult {
    let layers = await store.layers()
    var kept = layers.reduce(0) { $0 + $1.presentBytes }
    var result = CollectionResult(layers: 0, freedBytes: 0, keptBytes: kept)
    for layer in layers.filter({ !$0.isMounted && $0.presentBytes > 0 }).sorted(by: { $0.lastUsed < $1.lastUsed }) {
      guard kept > keepBytes else { break }
      do { try await store.evict(layer.key) } catch LayerStoreError.busy {
        continue  // an overlay still reads it, or somebody mounted it meanwhile
      }
      kept -= layer.presentBytes
      result.layers += 1
      result.freedBytes += layer.presentBytes
    }
    result.keptBytes = kept
    return result
  }
}

/// Keeps the cache below its limit.
struct CacheLimit: Service {
  let store: LayerStore
  let limitBytes: Int64
  let logger: Logger

  func run() async throws {
    await cancelWhenGracefulShutdown {
      while !Task.isCancelled {
        do { try await Task.sleep(for: .seconds(60)) } catch { return }
        do {
          let result = try await CacheCollection(store: store).run(keepBytes: limitBytes)
          if result.layers > 0 {
            logger.info(
              "content of unused layers removed",
              metadata: ["layers": "\(result.layers)", "bytes": "\(result.freedBytes)"])
          }
        } catch {
          logger.warning("unused layers stay", metadata: ["error": "\(error)"])
        }
      }
    }
  }
}
