import CertificateAuthority
import Edge
import ServiceLifecycle

/// `nagaya serve edge`: the https entrance of the apps.
struct EdgePart {
  let process: PartProcess
  private var options: PlatformOptions { process.options }

  func services() async throws -> [any Service] {
    let authority = try CertificateAuthority.loadOrCreate(
      directory: "\(process.layout.pki)/edge", purpose: .edge(domain: options.domain))
    let edge = Edge(
      EdgeConfiguration(address: options.edgeAddress, port: options.edgePort, domain: options.domain),
      client: PartIdentity.edge.client(process.layout),
      certificates: LeafCache(authority: authority, domain: options.domain), logger: process.log("edge"))
    let startup = process.startup([
      .init("edge") {
        _ = try await edge.waitUntilListening()
        return "https://<app>.<environment>.<tenant>.\(options.domain):\(options.edgePort)"
      }
    ])
    return [edge, startup]
  }
}
