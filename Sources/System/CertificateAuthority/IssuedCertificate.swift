import Crypto
import Foundation
import NIOSSL
import SwiftASN1
import X509

/// A leaf certificate with its private key.
public struct IssuedCertificate: Sendable {
  /// The leaf, as PEM.
  public let certificatePEM: String
  /// The leaf's key (PKCS #8 for P-256), as PEM.
  public let privateKeyPEM: String
  let certificate: Certificate

  init(certificate: Certificate, privateKey: Certificate.PrivateKey) throws {
    self.certificate = certificate
    certificatePEM = try certificate.serializeAsPEM().pemString + "\n"
    privateKeyPEM = try privateKey.serializeAsPEM().pemString + "\n"
  }

  /// `nil` if one is no PEM, or the key is not the certificate's.
  public init?(certificatePEM: String, privateKeyPEM: String) {
    guard let certificate = try? Certificate(pemEncoded: certificatePEM),
      let key = try? Certificate.PrivateKey(pemEncoded: privateKeyPEM),
      key.publicKey == certificate.publicKey
    else { return nil }
    self.certificate = certificate
    self.certificatePEM = certificatePEM
    self.privateKeyPEM = privateKeyPEM
  }

  /// A certificate that vouches for itself alone: its peers know it by its bytes.
  public static func selfSigned(commonName: String, now: Date = Date()) throws -> IssuedCertificate {
    let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
    let name = try DistinguishedName { CommonName(commonName) }
    let certificate = try Certificate(
      version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: key.publicKey,
      notValidBefore: now.addingTimeInterval(-CertificateAuthority.backdating),
      notValidAfter: now.addingTimeInterval(10 * 365 * 86400), issuer: name, subject: name,
      signatureAlgorithm: .ecdsaWithSHA256,
      extensions: try Certificate.Extensions {
        Critical(BasicConstraints.notCertificateAuthority)
        Critical(KeyUsage(digitalSignature: true))
        try ExtendedKeyUsage([.serverAuth, .clientAuth])
      }, issuerPrivateKey: key)
    return try IssuedCertificate(certificate: certificate, privateKey: key)
  }

  /// The last instant at which the certificate holds.
  public var notAfter: Date { certificate.notValidAfter }

  /// What `TLSConfiguration.certificateChain` takes.
  public func certificateChain() throws -> [NIOSSLCertificateSource] {
    try NIOSSLCertificate.fromPEMBytes(Array(certificatePEM.utf8)).map { .certificate($0) }
  }

  /// What `TLSConfiguration.privateKey` takes.
  public func privateKey() throws -> NIOSSLPrivateKeySource {
    .privateKey(try NIOSSLPrivateKey(bytes: Array(privateKeyPEM.utf8), format: .pem))
  }
}
