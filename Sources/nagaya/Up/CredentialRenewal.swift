import APIServer
import CertificateAuthority
import Controllers
import Foundation
import Logging
import ServiceLifecycle

/// Renews, while everything runs, what the parts show each other, and takes up successors of roots: nobody has to be started
/// anew for a certificate.
///
/// What is made anew lies in files; node agent and edge read theirs again by themselves (`CredentialWatch`,
/// `KubeconfigTransport`).
struct CredentialRenewal: Service {
  let credentials: PartCredentials
  let node: String
  /// Host names of the API.
  let names: [String]
  /// Addresses of the API besides the loopback address.
  let addresses: [String]
  /// At the loopback address, and those for others.
  let fronts: [HTTPSFront]
  let signing: EdgeSigning
  let authenticator: Authenticator
  let logs: NodeLogClient
  let trust: TrustBundle
  let interval: Duration
  let logger: Logger

  func run() async throws {
    await cancelWhenGracefulShutdown {
      while !Task.isCancelled {
        do { try await Task.sleep(for: interval) } catch { return }
        // A full disk is no reason to stop: a third of their time is left to try again.
        do { try await renew() } catch {
          logger.error("certificates cannot be renewed", metadata: ["error": "\(error)"])
        }
      }
    }
  }

  /// Makes anew what is due.
  func renew(now: Date = Date()) async throws {
    var credentials = credentials
    let authorities = try credentials.authorities.reloaded(now: now)
    credentials.authorities = authorities
    // Roots before what they sign.
    try authenticator.use(trusting: authorities.clients.trustPEM)
    signing.use(authorities)
    trust.replace(authorities.api.trustPEM)
    let certificate = try authorities.serverCertificate(names: names, addresses: addresses, now: now)
    for front in fronts { try front.use(certificate) }
    if let local = fronts.first {
      try credentials.write(server: APIPlace.localServer(port: try await local.port), now: now)
    }
    logs.use(try credentials.writeForNode(node, now: now))
  }
}
