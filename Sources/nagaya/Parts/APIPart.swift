import APIServer
import CertificateAuthority
import Controllers
import Foundation
import KubernetesAPI
import KubernetesClient
import Logging
import ObjectStore
import ProcessMetrics
import ProcessSupervision
import ServiceLifecycle

/// `nagaya serve api`: the API server with its store, and who signs.
struct APIPart {
  let process: PartProcess
  let options: PlatformOptions
  private var layout: Layout { process.layout }

  /// In the order in which they start; they stop in the opposite one.
  func services() async throws -> [any Service] {
    let node = options.resolvedNodeName
    let place = APIPlace(options)
    let authorities = try PlatformAuthorities.loadOrCreate(
      directory: layout.pki, serverNames: [node] + place.hostNames, domain: options.domain, lives: options.lives)
    try place.check(vouchedForBy: authorities.api)
    let credentials = PartCredentials(authorities: authorities, layout: layout, parts: PartIdentity.all(node: node))

    // The control plane.
    let accountKeys = try SigningKeys.loadOrCreate(directory: layout.accountKeys)
    let revocations = Revocations(path: layout.revocations)
    let gate = Gate(keys: accountKeys, revocations: revocations)
    let logs = NodeLogClient(identity: try credentials.writeForNode(node)) {
      gate.objects?.object(of: .nodes, namespace: "", name: $0)
    }
    let signing = EdgeSigning()
    let server = try await APIServer(
      store: try await StoreFile.open(layout, logger: process.log("store")), registry: .standard,
      authorizer: { gate.authorizer(over: $0) },
      virtualResources: { _, _ in
        gate.virtualResources { authorizer in
          signing.begin(authorities, domain: options.domain, authorizer: authorizer)
        }
      },
      admission: { [NodeRestriction(), StorageGuard(objects: $0), TenantGuard(objects: $0)] },
      logs: logs, logger: process.log("api"))
    MetricsRegistry.process.add(server)
    @Sendable func client(_ name: String) -> KubernetesClient { server.client(as: .component(name)) }
    try await Bootstrap(client: client("bootstrap")).run()
    // By its own address pods reach it at their gateway.
    let addresses = [try options.podNetwork().gateway] + place.addresses
    let names = [node] + place.hostNames
    let authenticator = try Authenticator(
      authority: authorities.clients, tokenFile: "\(layout.pki)/tokens", objects: gate.objects,
      accounts: accountKeys, revocations: revocations)
    let certificate = try authorities.serverCertificate(names: names, addresses: addresses)
    let audit =
      options.noAudit ? nil : AuditLog(path: "\(layout.state)/audit/audit.log", logger: process.log("audit"))
    func front(_ host: String, _ socket: String) throws -> HTTPSFront {
      try HTTPSFront(
        host: host, port: options.apiPort, socket: InheritedSockets.take(socket), certificate: certificate,
        authenticator: authenticator, handler: server, audit: audit, logger: process.log("front"))
    }
    let local = try front(APIPlace.loopback, PartKind.api.rawValue)
    // Whoever floods this one takes no connection from the platform's own parts.
    let outside = try place.address.map { try front($0, InstanceSockets.publicName) }
    let fronts = [local] + (outside.map { [$0] } ?? [])

    // Tokens in Secrets are signed here, where the keys are.
    let trust = TrustBundle(authorities.api.trustPEM)
    let signer = Authenticator.tokenSigner(accountKeys)
    let accountTokens = ServiceAccountTokenController(
      client("account-tokens"), trust: trust, logger: process.log("account-tokens")
    ) { signer.token(of: $0, account: $1, accountUID: $2) }

    let apart = server.objectsSetApart.count
    var steps: [Startup.Step] = [
      .init("API server") {
        for front in fronts.dropFirst() { _ = try await front.port }
        let url = APIPlace.localServer(port: try await local.port)
        try credentials.write(server: url)
        return [url, place.publicServer].compactMap(\.self).joined(separator: ", ")
      }
    ]
    if apart > 0 {
      steps.append(
        .init("set apart") { "\(apart) stored objects cannot be read, the rest runs without them: see `nagaya doctor`" }
      )
    }
    let renewal = CredentialRenewal(
      credentials: credentials, node: node, names: names, addresses: addresses, fronts: fronts, signing: signing,
      authenticator: authenticator, logs: logs, trust: trust, interval: options.renewalInterval,
      logger: process.log("credentials"))
    return [server] + fronts + [renewal, accountTokens, process.startup(steps)]
  }
}
