import APIServer
import Applications
import CSIDriver
import CertificateAuthority
import Controllers
import Foundation
import KubernetesAPI
import KubernetesClient
import LinuxSystem
import Logging
import ObjectStore
import PodScheduler
import ServiceLifecycle
import StorageControllers
import Tenancy
import VolumePools

/// `nagaya serve api`: the API server with its store, and what works on its objects in the same process.
struct APIPart {
  let process: PartProcess
  private var options: PlatformOptions { process.options }
  private var layout: Layout { process.layout }

  /// In the order in which they start; they stop in the opposite one.
  func services() async throws -> [any Service] {
    let node = options.resolvedNodeName
    let authorities = try PlatformAuthorities.loadOrCreate(
      directory: layout.pki, serverNames: [node], domain: options.domain, lives: options.lives)
    let credentials = PartCredentials(authorities: authorities, layout: layout, parts: [.node(node), .edge, .hooks])

    // The control plane.
    let accountKeys = try SigningKeys.loadOrCreate(directory: layout.accountKeys)
    let revocations = Revocations(path: layout.revocations)
    let gate = Gate(keys: accountKeys, revocations: revocations)
    let logs = NodeLogClient(identity: try credentials.writeForNode(node)) {
      gate.objects?.object(of: .nodes, namespace: "", name: $0)
    }
    let server = try await APIServer(
      store: try await StoreFile.open(layout, logger: process.log("store")), registry: .standard,
      authorizer: { gate.authorizer(over: $0) },
      virtualResources: { _, _ in gate.virtualResources() },
      admission: { [NodeRestriction(), TenantGuard(objects: $0)] },
      logs: logs, logger: process.log("api"))
    @Sendable func client(_ name: String) -> KubernetesClient { server.client(as: .component(name)) }
    let bootstrap = Bootstrap(client: client("bootstrap"))
    let isFirstStart = try await bootstrap.run()
    // By its own address pods reach it at their gateway.
    let addresses = [try options.podNetwork().gateway]
    let authenticator = try Authenticator(
      authority: authorities.clients, tokenFile: "\(layout.pki)/tokens", objects: gate.objects,
      accounts: accountKeys, revocations: revocations)
    let front = try HTTPSFront(
      port: options.apiPort,
      certificate: try authorities.serverCertificate(names: [node], addresses: addresses),
      authenticator: authenticator,
      handler: server,
      audit: options.noAudit ? nil : AuditLog(path: "\(layout.state)/audit/audit.log", logger: process.log("audit")),
      logger: process.log("front"))

    // Storage.
    let volumes = try await LocalStorage(options, layout: layout, logger: process.log("pool"))
    let driver = volumes.driver(logger: process.log("csi"))
    let storage = try StorageControllers(
      client: client("storage"), driverSocket: layout.csiSocket, poolPath: layout.pool,
      mountPath: { publishedPath(of: $0) }, logger: process.log("storage"))

    // Controllers and scheduler.
    let trust = TrustBundle(authorities.api.trustPEM)
    let tokens = Authenticator.tokenSigner(accountKeys)
    let controllers = BuiltInControllers(
      client: client("controllers"), logger: process.log("controllers"), trust: trust,
      serviceAccountToken: { tokens.token(of: $0, account: $1, accountUID: $2) })
    // Pods and nodes are watched and kept once for controllers and scheduler together.
    let scheduler = PodScheduler(
      client("scheduler"), ranking: PlacementRanking(options.placement), pods: controllers.informers.pods,
      nodes: controllers.informers.nodes, logger: process.log("scheduler"))

    // The platform.
    let address = PublicAddress(domain: options.domain, port: options.edgePort)
    let applications = ApplicationController(
      client: client("applications"), address: address, logger: process.log("apps"))
    let tenants = TenantController(
      client: client("tenancy"), defaults: options.tenantDefaults, logger: process.log("tenants"))

    let apart = server.objectsSetApart.count
    var steps: [Startup.Step] = [
      .init("API server") {
        let port = try await front.port
        try credentials.write(server: "https://127.0.0.1:\(port)")
        return "https://127.0.0.1:\(port)"
      },
      .init("storage") {
        try await Startup.wait { try await client("startup").getIfPresent(.csiNodes, name: node) != nil }
        return layout.pool
      },
    ]
    if apart > 0 {
      steps.append(
        .init("set apart") { "\(apart) stored objects cannot be read, the rest runs without them: see `nagaya doctor`" }
      )
    }
    if isFirstStart {
      steps.append(
        .init("tenant demo") {
          try await Startup.wait {
            try await client("startup").getIfPresent(.namespaces, name: SampleApp.namespace) != nil
          }
          return SampleApp.namespace
        })
    }
    let renewal = CredentialRenewal(
      credentials: credentials, node: node, addresses: addresses, front: front, authenticator: authenticator,
      logs: logs,
      trust: trust, interval: options.renewalInterval, logger: process.log("credentials"))
    return [
      server, front, renewal, driver, storage, controllers, scheduler, applications, tenants, process.startup(steps),
    ]
  }

  /// Where a pod of this node has a volume mounted.
  private func publishedPath(of volume: String) -> String? {
    let mounts = (try? Mounts.table())?.entries ?? []
    return mounts.map(\.mountPoint).first {
      $0.hasPrefix("\(layout.node)/pods/") && $0.hasSuffix("/volumes/csi/\(volume)/mount")
    }
  }
}
