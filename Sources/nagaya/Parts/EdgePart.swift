import CertificateAuthority
import Edge
import ProcessSupervision
import ServiceLifecycle

/// `nagaya serve edge`: the https entrance of the apps.
struct EdgePart {
  let process: PartProcess
  let options: PlatformOptions

  func services() async throws -> [any Service] {
    let (directory, purpose) = ("\(process.layout.pki)/edge", AuthorityPurpose.edge(domain: options.domain))
    let lifetime = options.lives.root
    let certificates = LeafCache(
      authority: try .loadOrCreate(directory: directory, purpose: purpose, lifetime: lifetime), domain: options.domain)
    let renewal = CredentialWatch(
      paths: ["\(directory)/ca.crt"], interval: options.renewalInterval, logger: process.log("edge")
    ) {
      certificates.use(try .loadOrCreate(directory: directory, purpose: purpose, lifetime: lifetime))
    }
    var configuration = EdgeConfiguration(
      address: options.edgeAddress, port: options.edgePort, domain: options.domain)
    configuration.socket = InheritedSockets.take(PartKind.edge.rawValue)
    let edge = Edge(
      configuration,
      client: PartIdentity.edge.client(process.layout),
      certificates: certificates, logger: process.log("edge"))
    let startup = process.startup([
      .init("edge") {
        _ = try await edge.waitUntilListening()
        return "https://<app>.<environment>.<tenant>.\(options.domain):\(options.edgePort)"
      }
    ])
    return [edge, renewal, startup]
  }
}
