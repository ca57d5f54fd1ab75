import CertificateAuthority
import Crypto
import NIOSSL

/// Who one end of a copy is: a key in this process's memory, with a certificate that it signed itself.
public struct TransferIdentity: Sendable {
  /// SHA-256 of the certificate's DER bytes, as 64 hexadecimal digits: by this others know it.
  public let fingerprint: String
  let certificate: IssuedCertificate

  public init() throws {
    certificate = try IssuedCertificate.selfSigned(commonName: "nagaya volume transfer")
    guard case .certificate(let own) = try certificate.certificateChain().first else {
      throw TransferError.failed("a certificate of its own cannot be made")
    }
    fingerprint = try Self.fingerprint(own)
  }

  static func fingerprint(_ certificate: NIOSSLCertificate) throws -> String {
    SHA256.hash(data: try certificate.toDERBytes()).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// Both ends show a certificate; whose it is is judged by its fingerprint alone.
  func clientContext() throws -> NIOSSLContext {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.minimumTLSVersion = .tlsv13
    configuration.certificateVerification = .noHostnameVerification
    configuration.certificateChain = try certificate.certificateChain()
    configuration.privateKey = try certificate.privateKey()
    return try NIOSSLContext(configuration: configuration)
  }

  func serverContext() throws -> NIOSSLContext {
    var configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: try certificate.certificateChain(), privateKey: try certificate.privateKey())
    configuration.minimumTLSVersion = .tlsv13
    configuration.certificateVerification = .noHostnameVerification
    return try NIOSSLContext(configuration: configuration)
  }

  /// Lets those through whose fingerprint is accepted.
  static func verification(_ accepts: @escaping @Sendable (String) -> Bool) -> NIOSSLCustomVerificationCallback {
    { certificates, promise in
      let shown = certificates.first.flatMap { try? fingerprint($0) }
      promise.succeed(shown.map(accepts) == true ? .certificateVerified : .failed)
    }
  }
}

/// Why a copy did not go on. All may be tried again.
public enum TransferError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The other side's words.
  case refused(String)
  /// It spoke otherwise than the protocol says.
  case protocolError(String)
  /// It closed, or was silent for too long.
  case disconnected
  case failed(String)

  public var description: String {
    switch self {
    case .refused(let reason): "the other node refused: \(reason)"
    case .protocolError(let what): "the other node sent \(what); are both of one release?"
    case .disconnected: "the connection to the other node ended"
    case .failed(let reason): reason
    }
  }
}
