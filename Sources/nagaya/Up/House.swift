import APIServer
import Applications
import CSIDriver
import CertificateAuthority
import Controllers
import Edge
import Foundation
import KubernetesAPI
import KubernetesClient
import LinuxSystem
import Logging
import NodeAgent
import ObjectStore
import PodScheduler
import ServiceLifecycle
import StorageControllers
import Tenancy
import VolumePools

/// The whole platform in one process: makes every part, wires them, runs them until a signal asks it to stop.
struct House {
  let options: PlatformOptions
  let layout: Layout
  let logger: Logger

  /// What runs, and what must be known of it when it ends.
  private struct Household {
    let services: [any Service]
    let startup: Startup
  }

  func run() async throws {
    var instance = Instance(pid: getpid(), phase: .starting)
    instance.nodeName = options.resolvedNodeName
    DrainRequest(layout).clear()
    try instance.write(to: layout)
    do {
      // Everything that can stand in the way is asked first, so that nothing has to be taken down again.
      try PortCheck.run("127.0.0.1", port: options.apiPort, what: "the API", option: "--api-port")
      try PortCheck.run(options.edgeAddress, port: options.edgePort, what: "the edge", option: "--edge-port")
      instance.engines = try Installation.engines(options.engines)
      try await run(instance)
    } catch {
      instance.phase = .failed
      instance.failure = "\(error)"
      try? instance.write(to: layout)
      throw error
    }
    try? FileManager.default.removeItem(atPath: layout.instance)
  }

  private func run(_ instance: Instance) async throws {
    let network = try options.podNetwork()
    try await NetworkReservations().reserve(
      NetworkReservations.Reservation(
        network: network.name, addresses: network.subnet, state: layout.state, run: layout.run))
    let engineLayout = ContainerdLayout(
      stateDirectory: layout.state, runDirectory: layout.run, enginesDirectory: instance.engines)
    let images = try await LazyImagesChoice(
      options.snapshotter, layout: layout, containerd: engineLayout.socket, logger: log("images"))
    let engine = ContainerdEngine(
      layout: engineLayout,
      network: network, snapshotter: images.plugin,
      logger: log("containerd"))
    let takedown = EngineTakedown(
      engine: engine, images: images, network: network, layout: layout, logger: log("containerd"))
    let wasThere = takedown.isNeeded
    var startup: Startup?
    do {
      let household = try await build(instance, engine, images, takedown)
      startup = household.startup
      var configuration = ServiceGroupConfiguration(
        services: household.services.map {
          .init(
            service: $0, successTerminationBehavior: .gracefullyShutdownGroup,
            failureTerminationBehavior: .gracefullyShutdownGroup)
        }, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
      configuration.maximumGracefulShutdownDuration = .seconds(120)
      try await ServiceGroup(configuration: configuration).run()
    } catch {
      // A start that failed leaves nothing running that it began.
      if !wasThere, startup?.wasReady != true { await takedown.run() }
      throw error
    }
  }

  private func log(_ label: String) -> Logger {
    var logger = self.logger
    logger[metadataKey: "part"] = "\(label)"
    return logger
  }

  /// In the order in which they start; they stop in the opposite one.
  private func build(
    _ instance: Instance, _ engine: ContainerdEngine, _ snapshots: LazyImagesChoice, _ takedown: EngineTakedown
  ) async throws -> Household {
    let node = instance.nodeName
    for directory in [layout.state, layout.pki, "\(layout.state)/api", layout.pool, layout.node] {
      try FileManager.default.createDirectory(
        atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }
    try SavedArguments(layout).write(options)
    let authorities = try PlatformAuthorities.loadOrCreate(
      directory: layout.pki, serverNames: [node], domain: options.domain)
    let credentials = PartCredentials(authorities: authorities, layout: layout, parts: [.node(node), .edge])

    // The control plane.
    let logs = NodeLogs(directory: layout.node)
    let gate = Gate()
    let server = try await APIServer(
      store: try SQLiteObjectStore(path: layout.objects), registry: .standard,
      authorizer: { gate.authorizer(over: $0) },
      virtualResources: { _, _ in gate.virtualResources() },
      admission: { [NodeRestriction(), TenantGuard(objects: $0)] },
      logs: logs, logger: log("api"))
    @Sendable func client(_ name: String) -> KubernetesClient { server.client(as: .component(name)) }
    let bootstrap = Bootstrap(client: client("bootstrap"))
    let isFirstStart = try await bootstrap.run()
    let front = try HTTPSFront(
      port: options.apiPort,
      certificate: try authorities.serverCertificate(names: [node]),
      authenticator: try Authenticator(
        authority: authorities.clients, tokenFile: "\(layout.pki)/tokens", objects: gate.objects),
      handler: server, logger: log("front"))

    // Storage.
    let pool = try await FilePool.open(
      FilePool.Configuration(
        name: "default", directory: layout.pool,
        limitBytes: try options.poolSize.map { try Sizes.bytes($0, option: "--pool-size", least: 1) }),
      logger: log("pool"))
    let driver = CSIServer(
      DriverConfiguration(nodeName: node, pools: [pool]), socket: layout.csiSocket, logger: log("csi"))
    let storage = try StorageControllers(
      client: client("storage"), driverSocket: layout.csiSocket, poolPath: layout.pool,
      mountPath: { publishedPath(of: $0) }, logger: log("storage"))

    // The node.
    let images = NodeImages(
      engine: engine, directory: try Installation.images(options.images), stateDirectory: layout.state)
    let agent = try NodeAgent(
      NodeConfiguration(
        name: node, address: "127.0.0.1", directory: layout.node, runtimeSocket: engine.layout.socket,
        imageSocket: snapshots.imageSocket, csiSockets: ["local.nagaya.dev": layout.csiSocket],
        network: try options.podNetwork()),
      client: server.client(as: PartIdentity.node(node).user), logger: log("node"))

    // Controllers and scheduler.
    let authorityPEM = authorities.api.trustPEM
    let tokens = Authenticator.tokenSigner(authorities.clients)
    let controllers = BuiltInControllers(
      client: client("controllers"), logger: log("controllers"), caCertificate: authorityPEM,
      serviceAccountToken: { tokens.token(of: $0, account: $1, accountUID: $2) })
    // Pods and nodes are watched and kept once for controllers and scheduler together.
    let scheduler = PodScheduler(
      client("scheduler"), ranking: PlacementRanking(options.placement), pods: controllers.informers.pods,
      nodes: controllers.informers.nodes, logger: log("scheduler"))

    // The platform.
    let address = PublicAddress(domain: options.domain, port: options.edgePort)
    let applications = ApplicationController(client: client("applications"), address: address, logger: log("apps"))
    let tenants = TenantController(client: client("tenancy"), logger: log("tenants"))
    let edge = Edge(
      EdgeConfiguration(address: options.edgeAddress, port: options.edgePort, domain: options.domain),
      client: server.client(as: PartIdentity.edge.user),
      certificates: LeafCache(authority: authorities.edge, domain: options.domain),
      logger: log("edge"))

    let demoTenant = Startup.Part("tenant demo") {
      try await Self.wait { try await client("startup").getIfPresent(.namespaces, name: SampleApp.namespace) != nil }
      return SampleApp.namespace
    }
    let startup = Startup(
      layout: layout, instance: instance,
      parts: [
        .init("API server") {
          let port = try await front.port
          try credentials.write(server: "https://127.0.0.1:\(port)")
          return "https://127.0.0.1:\(port)"
        },
        .init("containerd") {
          try await images.load()
          return "\(layout.run)/containerd/containerd.sock"
        },
        .init("images") { snapshots.summary },
        .init("storage") {
          try await Self.wait { try await client("startup").getIfPresent(.csiNodes, name: node) != nil }
          return layout.pool
        },
        .init("node") {
          try await Self.wait {
            try await client("startup").getIfPresent(.nodes, name: node)?.isConditionTrue("Ready") ?? false
          }
          return node
        },
        .init("edge") {
          _ = try await edge.waitUntilListening()
          return "https://<app>.<namespace>.\(options.domain):\(options.edgePort)"
        },
      ] + (isFirstStart ? [demoTenant] : []),
      finish: { instance in
        instance.api = "https://127.0.0.1:\(try await front.port)"
        instance.edge = "\(options.edgeAddress):\(options.edgePort)"
      })
    let drain = DrainRequest(layout)
    return Household(
      services: [
        LogRotation(log: LogFile(path: layout.log), logger: log("log")), server, front, driver,
      ] + snapshots.services + [
        engineShutdown(takedown, drain), engine, storage, agent, podShutdown(agent, drain), controllers, scheduler,
        applications, tenants, edge, startup,
      ], startup: startup)
  }

  /// Where a pod of this node has a volume mounted.
  private func publishedPath(of volume: String) -> String? {
    let mounts = (try? Mounts.table())?.entries ?? []
    return mounts.map(\.mountPoint).first {
      $0.hasPrefix("\(layout.node)/pods/") && $0.hasSuffix("/volumes/csi/\(volume)/mount")
    }
  }

  /// Waits for something that another part does; every part has to be up within a minute.
  private static func wait(_ condition: @Sendable () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while !(try await condition()) {
      guard ContinuousClock.now < deadline else {
        throw CommandFailure("a part did not come up within 60 s", remedy: "see the log for its last messages")
      }
      try await Task.sleep(for: .milliseconds(10))
    }
  }
}
