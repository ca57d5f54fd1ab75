import APIServer
import Foundation
import KubernetesAPI
import KubernetesClient
import Logging
import NRI
import NodeAgent
import NodeHooks
import ProcessMetrics
import ServiceLifecycle
import StorageControllers

/// `nagaya serve node`: the agent of this node, the containerd that it uses, and the images.
struct NodePart {
  let process: PartProcess
  let options: PlatformOptions
  private var layout: Layout { process.layout }

  func run() async throws {
    let engineLayout = ContainerdLayout(
      stateDirectory: layout.state, runDirectory: layout.run,
      enginesDirectory: try Installation.engines(options.engines))
    let hadContainers = EngineTakedown.isNeeded(engineLayout, layout)
    var takedown: EngineTakedown?
    do {
      try await process.run { try await services(engineLayout, &takedown) }
    } catch {
      // A start that failed leaves nothing running that it began.
      if !hadContainers, !process.reporter.wasReady { await takedown?.run() }
      throw error
    }
  }

  /// In the order in which they start; they stop in the opposite one.
  private func services(_ engineLayout: ContainerdLayout, _ takedown: inout EngineTakedown?) async throws
    -> [any Service]
  {
    let node = options.resolvedNodeName
    let network = try options.podNetwork()
    let snapshots = try await LazyImagesChoice(
      options.snapshotter, layout: layout, containerd: engineLayout.socket, logger: process.log("images"))
    let engine = ContainerdEngine(
      layout: engineLayout,
      network: network, snapshotter: snapshots.plugin, limits: options.nodeLimits, logger: process.log("containerd"))
    let engineTakedown = EngineTakedown(
      engine: engine, images: snapshots, network: network, layout: layout,
      logger: process.log("containerd"))
    takedown = engineTakedown
    let images = NodeImages(
      engine: engine, directory: try Installation.images(options.images), stateDirectory: layout.state)
    let client = PartIdentity.node(node).client(layout)

    // The agent's own https API: nobody but the API server is answered there.
    let requests = LateHandler()
    let files = NodeServerFiles(layout)
    let authenticator = try Authenticator(trusting: files.roots())
    let front = try HTTPSFront(
      port: 0, certificate: try files.certificate(), authenticator: authenticator,
      handler: requests, logger: process.log("node-front"))
    let renewal = CredentialWatch(
      paths: files.paths, interval: options.renewalInterval, logger: process.log("node-front")
    ) {
      try authenticator.use(trusting: files.roots())
      try front.use(files.certificate())
    }
    let agent = try NodeAgent(
      NodeConfiguration(
        name: node, address: "127.0.0.1", directory: layout.node, runtimeSocket: engine.layout.socket,
        imageSocket: snapshots.imageSocket, snapshotter: snapshots.plugin.name, imageGate: snapshots.imageGate,
        hooks: RuntimeHooks(mark: Adjustment.mark, statusSocket: layout.hooksSocket),
        csiSockets: [StorageAccess.driverName: layout.csiSocket], volumeLabel: StorageAccess.nodeLabel,
        network: network, limits: options.nodeLimits, apiServer: ("127.0.0.1", options.apiPort),
        apiPort: { try await front.port }),
      client: client, logger: process.log("node"))
    requests.set(agent.requests)
    MetricsRegistry.process.add(agent)

    let startup = process.startup([
      .init("containerd") {
        try await images.load()
        return "\(layout.run)/containerd/containerd.sock"
      },
      .init("images") { snapshots.summary },
      .init("node") {
        let port = try await front.port
        try await Startup.wait {
          guard let object = try await client.getIfPresent(.nodes, name: node) else { return false }
          return object.isConditionTrue("Ready")
            && object.status["daemonEndpoints"]["kubeletEndpoint"]["Port"].int == port
        }
        return node
      },
    ])
    let drain = DrainRequest(layout)
    return snapshots.services + [
      engineShutdown(engineTakedown, drain), engine, front, renewal, agent, podShutdown(agent, drain), startup,
    ]
  }
}
