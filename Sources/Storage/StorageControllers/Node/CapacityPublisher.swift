import BoundedNumbers
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import ServiceLifecycle

/// Publishes what the pools of this node have left: one CSIStorageCapacity per class, and the VolumePool object. What it
/// published for classes and pools that are gone, it takes back.
///
/// It publishes right after each change that goes through these controllers, and every minute for all others.
struct CapacityPublisher: Service {
  let driverName: String
  let client: KubernetesClient
  let driver: VolumeDriver
  let caches: NodeStorageCaches
  let poolPath: String
  let namespace: String
  let changes: AsyncStream<Void>
  let logger: Logger

  func run() async throws {
    await cancelWhenGracefulShutdown {
      await withTaskGroup(of: Void.self) { group in
        let (ticks, tick) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        group.addTask {
          for await _ in changes { tick.yield() }
        }
        group.addTask {
          while (try? await Task.sleep(for: .seconds(60))) != nil { tick.yield() }
        }
        // What could not be published while the API was away is published when it is back.
        client.transport.reachability?.onReturn {
          if case .terminated = tick.yield() { return false }
          return true
        }
        tick.yield()
        for await _ in ticks {
          do { try await publish() } catch {
            // The driver stops before these controllers do.
            if Task.isCancelled { return }
            logger.warning("cannot publish capacity", metadata: ["error": "\(error)"])
          }
        }
        group.cancelAll()
      }
    }
  }

  /// Marks what the driver published (as the external provisioner does).
  private static let driverLabel = "csi.storage.k8s.io/drivername"

  private func publish() async throws {
    var published: Set<String> = []
    let ours = caches.classes.list().filter { $0["provisioner"].string == driverName }
    for storageClass in ours {
      let parameters = storageClass["parameters"].strings.filter { !$0.key.hasPrefix("csi.storage.k8s.io/") }
      let capacity = try await driver.capacity(parameters: parameters, topology: caches.node.topology)
      var object = KubernetesObject(
        .csiStorageCapacities, namespace: namespace, name: "\(caches.node.id)-\(storageClass.name)")
      object.labels = [Self.driverLabel: driverName]
      object["storageClassName"] = .string(storageClass.name)
      object["nodeTopology"] = ["matchLabels": .strings(caches.node.topology)]
      object["capacity"] = .string(Quantity(bytes: capacity.available).description)
      object["maximumVolumeSize"] = .string(
        Quantity(bytes: min(capacity.largestVolume, capacity.available)).description)
      _ = try await client.apply(object, as: .csiStorageCapacities)
      published.insert(object.name)
    }
    try await removeStale(except: published)
    do {
      try await removeStalePools()
      try await publishPool()
    } catch let status as APIStatus where status.isNotFound {
      // Somebody's Kubernetes that has no such kind: nothing but people reads them.
    }
  }

  /// Takes back what speaks of this node's storage but is not published any more.
  private func removeStale(except published: Set<String>) async throws {
    let capacities = try await client.list(
      .csiStorageCapacities, namespace: namespace, labels: LabelSelector(matchLabels: [Self.driverLabel: driverName]))
    for capacity in capacities.items
    where capacity["nodeTopology"]["matchLabels"].strings == caches.node.topology && !published.contains(capacity.name)
    {
      try await remove(capacity, .csiStorageCapacities)
    }
  }

  private func removeStalePools() async throws {
    for pool in try await client.list(.volumePools).items
    where pool.spec["nodeName"].string == caches.node.id && pool.name != poolName {
      try await remove(pool, .volumePools)
    }
  }

  private func remove(_ object: KubernetesObject, _ resource: Resource) async throws {
    do {
      try await client.delete(resource, namespace: object.namespace, name: object.name, uid: object.uid)
    } catch let status as APIStatus where status.isNotFound || status.isConflict {}
  }

  private var poolName: String { "\(caches.node.id)-default" }

  private func publishPool() async throws {
    let capacity = try await driver.capacity(parameters: [:], topology: caches.node.topology)
    var pool = KubernetesObject(.volumePools, name: poolName)
    pool.spec = [
      "nodeName": .string(caches.node.id), "pool": "default", "backend": "file", "path": .string(poolPath),
    ]
    let stored = try await client.apply(pool, as: .volumePools).object
    let volumes = caches.volumes.list().filter { $0.spec["csi"]["driver"].string == driverName }
    let allocated = volumes.compactMap { $0.volumeCapacity?.value }.clampedSum()
    var changed = stored
    changed.status["freeBytes"] = .integer(capacity.available)
    changed.status["allocatedBytes"] = .integer(allocated)
    changed.status["capacityBytes"] = .integer(capacity.available.clampedAdding(allocated))
    changed.status["volumes"] = JSONValue(volumes.count)
    changed.setCondition(Condition("Ready", .yes, reason: "Serving"))
    try await client.applyStatus(changed, as: .volumePools, existing: stored)
  }
}
