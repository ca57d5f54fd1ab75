import Crypto
import Foundation
import X509

/// Who signs certificates of hosts for a key that stays with who asks.
public protocol LeafSigning: Sendable {
  /// - Parameters:
  ///   - host: that is to be covered (`LeafNames`).
  ///   - request: a PKCS #10 request (RFC 2986) as PEM, whose key the certificate is for. What else it says does not count.
  /// - Returns: the certificate as PEM, those that lead to a root behind it.
  func sign(host: String, request: String) async throws -> String
}

extension CertificateAuthority {
  /// The most bytes of a PKCS #10 request; one for P-256 has some 400.
  public static let requestBytes = 8192

  /// Signs what `leaf` says for the key of a PKCS #10 request.
  /// - Parameter lifetime: seconds; never longer than the root's own.
  /// - Throws: `CertificateAuthorityError.invalidRequest` for what is no request, is not signed by its own key, or has
  ///   another key than one of P-256.
  public func sign(_ leaf: LeafRequest, request: String, now: Date = Date(), lifetime: TimeInterval? = nil) throws
    -> String
  {
    guard request.utf8.count <= Self.requestBytes,
      let parsed = try? CertificateSigningRequest(pemEncoded: request),
      P256.Signing.PublicKey(parsed.publicKey) != nil, parsed.publicKey.isValidSignature(parsed.signature, for: parsed)
    else { throw CertificateAuthorityError.invalidRequest }
    return try leafCertificate(leaf, for: parsed.publicKey, now: now, lifetime: lifetime)
      .serializeAsPEM().pemString + "\n"
  }
}

/// An authority that is at hand signs by itself.
public struct LocalLeafSigning: LeafSigning {
  private let authority: CertificateAuthority
  private let names: LeafNames
  private let lifetime: TimeInterval?

  /// - Parameter lifetime: of certificates, in seconds; a year unless something else is said.
  public init(_ authority: CertificateAuthority, domain: String, lifetime: TimeInterval? = nil) {
    self.authority = authority
    self.lifetime = lifetime
    names = LeafNames(domain: domain)
  }

  /// - Throws: `CertificateAuthorityError.invalidName` for hosts of other domains.
  public func sign(host: String, request: String) throws -> String {
    guard let name = names.certificateName(forHost: host) else { throw CertificateAuthorityError.invalidName(host) }
    return try authority.sign(
      .server(commonName: name, dnsNames: [name], ipAddresses: []), request: request, lifetime: lifetime)
  }
}
