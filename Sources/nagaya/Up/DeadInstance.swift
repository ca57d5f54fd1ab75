import CSIDriver
import Foundation
import Logging
import NodeAgent
import ServiceLifecycle
import StorageControllers
import VolumePools

/// An instance whose supervisor is gone while its containers go on.
struct DeadInstance {
  private let layout: Layout

  init(_ layout: Layout) { self.layout = layout }

  /// Stops its containers and gives back what they used, with the runtime, the volumes' driver and the images' daemon run by
  /// this process: neither the API server nor what is stored in it is needed.
  /// - Throws: `CommandFailure` that names what stays; calling again goes on.
  func takeDown(within seconds: Int) async throws {
    guard let options = try SavedArguments(layout).read() else { return }
    // Nobody starts it meanwhile.
    let lock = try InstanceLock(layout)
    try await LeftoverParts(layout).end()
    var logger = Logger(label: "nagaya.down") { _ in SwiftLogNoOpLogHandler() }
    logger.logLevel = .critical
    let engineLayout = ContainerdLayout(
      stateDirectory: layout.state, runDirectory: layout.run,
      enginesDirectory: try Installation.engines(options.engines))
    let network = try options.podNetwork()
    let images = try await LazyImagesChoice(
      options.snapshotter, layout: layout, containerd: engineLayout.socket, logger: logger)
    let engine = ContainerdEngine(
      layout: engineLayout, network: network, snapshotter: images.plugin, limits: options.nodeLimits, logger: logger)
    let volumes = try await LocalStorage(
      node: options.resolvedNodeName, directory: layout.pool, limit: nil, lvmPools: options.lvmPool,
      passesOverMissing: true, logger: logger)
    let driver = volumes.driver(socket: layout.csiSocket, logger: logger)
    let takedown = try NodeTakedown(
      directory: layout.node, runtimeSocket: engineLayout.socket,
      csiSockets: [StorageAccess.driverName: layout.csiSocket], limits: options.nodeLimits, longestGrace: seconds,
      logger: logger)
    let rest = EngineTakedown(engine: engine, images: images, network: network, layout: layout, logger: logger)
    // containerd ends only when nothing needs it any more.
    let drain = DrainRequest(layout)
    drain.clear()
    let work = Work {
      try await engine.start()
      let left = await takedown.run()
      guard left.isEmpty else {
        throw CommandFailure(
          "something could not be taken down:\n" + left.map { "  \($0)" }.joined(separator: "\n"),
          remedy: "see what holds it (fuser -vm PATH), then run `nagaya down` again")
      }
      try drain.make()
    }
    let services: [any Service] = images.services + [engineShutdown(rest, drain), engine, driver, work]
    let configuration = ServiceGroupConfiguration(
      services: services.map {
        .init(
          service: $0, successTerminationBehavior: .gracefullyShutdownGroup,
          failureTerminationBehavior: .gracefullyShutdownGroup)
      }, logger: logger)
    try await ServiceGroup(configuration: configuration).run()
    try? FileManager.default.removeItem(atPath: layout.instance)
    withExtendedLifetime(lock) {}
  }

  /// A service that ends when its work is done.
  private struct Work: Service {
    let act: @Sendable () async throws -> Void

    init(_ act: @escaping @Sendable () async throws -> Void) { self.act = act }

    func run() async throws { try await act() }
  }
}
