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
