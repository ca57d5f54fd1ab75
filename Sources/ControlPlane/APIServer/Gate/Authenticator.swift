import CertificateAuthority
import Crypto
import Foundation
import KubernetesAPI
import KubernetesClient
import NIOSSL
import X509

/// Says who a client is: by a certificate of the authority (common name = user, organizations = groups), or by a
/// bearer token (a token file, service accounts' secrets).
public struct Authenticator: Sendable {
  private let authority: CertificateAuthority
  private let tokenFile: TokenFile?
  private let serviceAccounts: ServiceAccountTokens?

  /// - Parameters:
  ///   - tokenFile: path of a token file (see `TokenFile`); it need not exist.
  ///   - objects: where service accounts and their secrets are.
  public init(authority: CertificateAuthority, tokenFile: String? = nil, objects: (any ObjectReading)? = nil) throws {
    self.authority = authority
    self.tokenFile = tokenFile.map { TokenFile(path: $0) }
    let signer = Self.tokenSigner(authority)
    serviceAccounts = objects.map { ServiceAccountTokens(objects: $0, signer: signer) }
  }

  /// What makes tokens of service accounts that authenticators of this authority accept.
  public static func tokenSigner(_ authority: CertificateAuthority) -> ServiceAccountTokenSigner {
    ServiceAccountTokenSigner(key: authority.derivedKey(for: "service account tokens"))
  }

  func trustRoots() throws -> NIOSSLTrustRoots { try authority.trustRoots() }

  /// The group of everybody who said who they are.
  static let authenticatedGroup = "system:authenticated"

  /// Who the holder of a certificate is; the chain's first is the client's own.
  /// - Throws: `unauthorized` if the chain does not lead to the authority, is out of its time, or is no client's.
  public func authenticate(certificates: [Certificate]) async throws(APIStatus) -> UserInfo {
    guard let leaf = certificates.first else { throw APIStatus(.unauthorized, "Unauthorized") }
    var verifier = Verifier(rootCertificates: CertificateStore(authority.roots)) { RFC5280Policy() }
    let result: CertificateValidationResult = await verifier.validate(
      leaf: leaf, intermediates: CertificateStore(certificates.dropFirst()))
    guard case .validCertificate = result else {
      let now = Date()
      let why =
        now > leaf.notValidAfter
        ? "has expired" : now < leaf.notValidBefore ? "is not valid yet" : "is not from this server's authority"
      throw APIStatus(.unauthorized, "Unauthorized: the client certificate \(why)")
    }
    guard let usage = try? leaf.extensions.extendedKeyUsage, usage.contains(.clientAuth) || usage.contains(.any) else {
      throw APIStatus(.unauthorized, "Unauthorized: the certificate is not a client's")
    }
    var name: String?
    var groups: [String] = []
    for part in leaf.subject {
      for attribute in part {
        if attribute.type == .RDNAttributeType.commonName { name = String(describing: attribute.value) }
        if attribute.type == .RDNAttributeType.organizationName { groups.append(String(describing: attribute.value)) }
      }
    }
    guard let name, !name.isEmpty else {
      throw APIStatus(.unauthorized, "Unauthorized: the client certificate names no user")
    }
    return UserInfo(name: name, groups: groups + [Self.authenticatedGroup])
  }

  /// Who the bearer of a token is.
  /// - Throws: `unauthorized` for unknown tokens.
  public func authenticate(token: String) async throws(APIStatus) -> UserInfo {
    if token.utf8.count >= 8, token.utf8.count <= 8192 {
      // The file's are looked up by their hashes: neither the table nor the time it takes tells about a token.
      let hash = SHA256.hash(data: Data(token.utf8))
      if let user = tokenFile?.user(of: hash) ?? serviceAccounts?.user(of: token) { return user }
    }
    throw APIStatus(.unauthorized, "Unauthorized: the bearer token is not valid")
  }
}
