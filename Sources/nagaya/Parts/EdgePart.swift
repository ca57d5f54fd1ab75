import CertificateAuthority
import Edge
import ProcessSupervision
import ServiceLifecycle

/// `nagaya serve edge`: the https entrance of the apps.
struct EdgePart {
  let process: PartProcess
  let options: PlatformOptions

  func services() async throws -> [any Service] {
    let client = PartIdentity.edge.client(process.layout)
    let certificates = LeafCache(signer: EdgeCertificates(client: client), domain: options.domain)
    // What visitors trust: when it changes, there is a new root to be signed by.
    let renewal = CredentialWatch(
      paths: ["\(process.layout.pki)/ca.crt"], interval: options.renewalInterval, logger: process.log("edge")
    ) { certificates.renew() }
    var configuration = EdgeConfiguration(
      address: options.edgeAddress, port: options.edgePort, domain: options.domain)
    configuration.socket = InheritedSockets.take(PartKind.edge.rawValue)
    let edge = Edge(
      configuration, client: client, certificates: certificates, logger: process.log("edge"))
    let startup = process.startup([
      .init("edge") {
        _ = try await edge.waitUntilListening()
        return "https://<app>.<environment>.<tenant>.\(options.domain):\(options.edgePort)"
      }
    ])
    return [edge, renewal, startup]
  }
}
