import KubernetesClient
import Logging
import ServiceLifecycle
import StorageControllers

/// `nagaya serve storage`: the CSI driver of this node, and what makes, grows and deletes its volumes.
struct StoragePart {
  let process: PartProcess
  private var options: PlatformOptions { process.options }
  private var layout: Layout { process.layout }

  /// In the order in which they start; they stop in the opposite one.
  func services() async throws -> [any Service] {
    let node = options.resolvedNodeName
    let volumes = try await LocalStorage(options, layout: layout, logger: process.log("pool"))
    let client = PartIdentity.storage(node).client(layout)
    let storage = try NodeStorageControllers(
      client: client, driverSocket: layout.csiSocket, poolPath: layout.pool, logger: process.log("storage"))
    let startup = process.startup([
      .init("storage") {
        try await Startup.wait { try await client.getIfPresent(.csiNodes, name: node) != nil }
        return layout.pool
      }
    ])
    return [volumes.driver(logger: process.log("csi")), storage, startup]
  }
}

/// `nagaya serve storage-controller`: what the cluster does for claims and volumes.
struct StorageControllerPart {
  let process: PartProcess

  func services() -> [any Service] {
    let client = PartIdentity.storageController.client(process.layout)
    return [
      StorageControllers(client: client, logger: process.log("volumes")),
      process.startup([
        .init("volumes") {
          try await Startup.wait {
            try await client.getIfPresent(.csiDrivers, name: StorageAccess.driverName) != nil
          }
          return StorageAccess.driverName
        }
      ]),
    ]
  }
}
