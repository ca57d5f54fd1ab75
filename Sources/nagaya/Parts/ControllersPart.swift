import Applications
import Controllers
import KubernetesAPI
import KubernetesClient
import Logging
import PodScheduler
import ServiceLifecycle
import StorageControllers
import Tenancy

/// `nagaya serve controllers`: the controllers of Kubernetes' own kinds, the scheduler, tenants and applications, each as
/// itself to the API.
struct ControllersPart {
  let process: PartProcess
  let options: PlatformOptions
  private var layout: Layout { process.layout }

  /// In the order in which they start; they stop in the opposite one.
  func services() throws -> [any Service] {
    // The roots that pods get are those by which this part itself knows the API.
    let kubeconfig = PartIdentity.controllers.kubeconfig(layout)
    let trust = TrustBundle(try Self.roots(kubeconfig))
    let renewal = CredentialWatch(
      paths: [kubeconfig], interval: options.renewalInterval, logger: process.log("controllers")
    ) {
      trust.replace(try Self.roots(kubeconfig))
    }
    let controllers = BuiltInControllers(
      client: PartIdentity.controllers.client(layout), logger: process.log("controllers"), trust: trust)
    // Pods and nodes are watched and kept once for controllers and scheduler together.
    let scheduler = PodScheduler(
      PartIdentity.scheduler.client(layout), ranking: PlacementRanking(options.placement),
      pods: controllers.informers.pods, nodes: controllers.informers.nodes, logger: process.log("scheduler"))
    let applications = ApplicationController(
      client: PartIdentity.applications.client(layout),
      address: PublicAddress(domain: options.domain, port: options.edgePort), logger: process.log("apps"))
    let tenancy = PartIdentity.tenancy.client(layout)
    let tenants = TenantController(
      client: tenancy, defaults: options.tenantDefaults, logger: process.log("tenants"))
    let startup = process.startup([
      .init("controllers") {
        for informer in controllers.informers.all { try await informer.waitUntilSynced() }
        try await Startup.wait { try await Self.isDemoReady(tenancy) }
        return "controllers, scheduler, tenants, applications"
      }
    ])
    return [renewal, controllers, scheduler, applications, tenants, startup]
  }

  private static func roots(_ kubeconfig: String) throws -> String {
    String(decoding: try Kubeconfig.load(explicit: kubeconfig).connection().authority ?? [], as: UTF8.self)
  }

  /// Whether the tour's tenant has its environment: a fresh instance is ready when people can begin.
  private static func isDemoReady(_ client: KubernetesClient) async throws -> Bool {
    guard
      let demo = try await client.list(.tenants).items.first(where: { $0.name == Bootstrap.demoTenant.name }),
      demo.status["conditions"].elements.isEmpty, !demo.isBeingDeleted
    else { return true }
    return try await client.getIfPresent(.namespaces, name: SampleApp.namespace) != nil
  }
}
