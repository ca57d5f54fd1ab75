import APIServer
import CertificateAuthority
import Locking

/// What signs for the edge, once the API server is made, and by whichever root is the present one.
final class EdgeSigning: Sendable {
  private let certificates = Mutex<LeafCertificates?>(nil)

  func begin(_ authorities: PlatformAuthorities, domain: String, authorizer: any Authorizing) -> LeafCertificates {
    let made = LeafCertificates(
      authorities.edge, domain: domain, lifetime: authorities.lives.leaf, authorizer: authorizer)
    certificates.withLock { $0 = made }
    return made
  }

  func use(_ authorities: PlatformAuthorities) { certificates.withLock { $0 }?.use(authorities.edge) }
}
