import CertificateAuthority
import Crypto
import Foundation
import KubernetesAPI
import KubernetesClient
import NIOSSL
import SwiftASN1
import X509

/// Says who a client is: by a certificate of the authority (common name = user, organizations = groups), or by a
/// bearer token (a token file, service accounts' secrets).
public struct Authenticator: Sendable {
  private let trust: TrustedRoots
  private let tokenFile: TokenFile?
  private let serviceAccounts: ServiceAccountTokens?
  private let accountTokens: AccountTokens?
  private let revocations: Revocations?

  /// - Parameters:
  ///   - tokenFile: path of a token file (see `TokenFile`); it need not exist.
  ///   - objects: where service accounts, their secrets and their pods are.
  ///   - accounts: what signs tokens of service accounts; without it none is accepted.
  public init(
    authority: CertificateAuthority, tokenFile: String? = nil, objects: (any ObjectReading)? = nil,
    accounts: SigningKeys? = nil, revocations: Revocations? = nil
  ) throws {
    trust = TrustedRoots(authority.roots, pem: authority.trustPEM)
    self.tokenFile = tokenFile.map { TokenFile(path: $0) }
    self.revocations = revocations
    if let objects, let accounts {
      serviceAccounts = ServiceAccountTokens(
        objects: objects, signer: Self.tokenSigner(accounts), revocations: revocations)
      accountTokens = AccountTokens(keys: accounts, objects: objects, revocations: revocations)
    } else {
      (serviceAccounts, accountTokens) = (nil, nil)
    }
  }

  /// Knows clients by their certificates alone, and needs no key of an authority.
  /// - Parameter roots: of clients' certificates, PEM.
  public init(trusting roots: String) throws {
    trust = try TrustedRoots(pem: roots)
    (tokenFile, serviceAccounts, accountTokens, revocations) = (nil, nil, nil, nil)
  }

  /// What makes the tokens of Secrets that authenticators with these keys accept.
  public static func tokenSigner(_ keys: SigningKeys) -> ServiceAccountTokenSigner {
    ServiceAccountTokenSigner(key: keys.derivedSecret(for: "service account tokens"))
  }

  /// Knows clients by these roots from now on, in every copy of this value. A front asks for certificates of them once it is
  /// given its own anew (`HTTPSFront.use`).
  /// - Parameter roots: PEM.
  public func use(trusting roots: String) throws { try trust.replace(pem: roots) }

  func trustRoots() throws -> NIOSSLTrustRoots {
    .certificates(try NIOSSLCertificate.fromPEMBytes(Array(trust.current.pem.utf8)))
  }

  /// The group of everybody who said who they are.
  static let authenticatedGroup = "system:authenticated"

  /// Who the holder of a certificate is; the chain's first is the client's own.
  /// - Throws: `unauthorized` if the chain does not lead to the authority, is out of its time, or is no client's.
  public func authenticate(certificates: [Certificate]) async throws(APIStatus) -> UserInfo {
    guard let leaf = certificates.first else { throw APIStatus(.unauthorized, "Unauthorized") }
    var verifier = Verifier(rootCertificates: CertificateStore(trust.current.roots)) { RFC5280Policy() }
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
    var issuer: String?
    for part in leaf.subject {
      for attribute in part {
        if attribute.type == .RDNAttributeType.commonName { name = String(describing: attribute.value) }
        if attribute.type == .RDNAttributeType.organizationalUnitName {
          issuer = LeafRequest.issuer(inUnit: String(describing: attribute.value)) ?? issuer
        }
        if attribute.type == .RDNAttributeType.organizationName { groups.append(String(describing: attribute.value)) }
      }
    }
    guard let name, !name.isEmpty else {
      throw APIStatus(.unauthorized, "Unauthorized: the client certificate names no user")
    }
    let issued = Self.issued(leaf)
    if let revocations, revocations.covers(user: name, issued: issued, by: issuer) {
      throw APIStatus(.unauthorized, "Unauthorized: the client certificate was revoked")
    }
    return UserInfo(name: name, groups: groups + [Self.authenticatedGroup])
  }

  /// When it was issued, in seconds since 1970, and no later: times of earlier certificates were rounded up.
  private static func issued(_ leaf: Certificate) -> Int64 {
    Int64(leaf.notValidBefore.addingTimeInterval(CertificateAuthority.backdating).timeIntervalSince1970) - 1
  }

  /// Whether a certificate that was accepted before still is, as far as that can change: its time, and revocation.
  func stillHolds(_ leaf: Certificate, of user: UserInfo, now: Date = Date()) -> Bool {
    guard now <= leaf.notValidAfter else { return false }
    guard let revocations else { return true }
    let units = leaf.subject.flatMap { $0 }.filter { $0.type == .RDNAttributeType.organizationalUnitName }
    let issuer = units.compactMap { LeafRequest.issuer(inUnit: String(describing: $0.value)) }.last
    let issued = Self.issued(leaf)
    return !revocations.covers(user: user.name, issued: issued, by: issuer)
  }

  /// Who the bearer of a token is.
  /// - Throws: `unauthorized` for unknown tokens.
  public func authenticate(token: String) async throws(APIStatus) -> UserInfo {
    if token.utf8.count >= 8, token.utf8.count <= 8192 {
      // The file's are looked up by their hashes: neither the table nor the time it takes tells about a token.
      let hash = SHA256.hash(data: Data(token.utf8))
      if let user = tokenFile?.user(of: hash) ?? serviceAccounts?.user(of: token)
        ?? accountTokens?.bearer(of: token)?.user
      {
        return user
      }
    }
    throw APIStatus(.unauthorized, "Unauthorized: the bearer token is not valid")
  }
}
