import CertificateAuthority
import Locking
import NIOHTTP2
import NIOSSL

/// The TLS settings of a front, with a server certificate that can be renewed while connections are open.
final class FrontTLS: Sendable {
  private let authenticator: Authenticator
  private let current: Mutex<NIOSSLContext>

  init(_ certificate: IssuedCertificate, _ authenticator: Authenticator) throws {
    self.authenticator = authenticator
    current = Mutex(try Self.context(certificate, authenticator))
  }

  var context: NIOSSLContext { current.withLock { $0 } }

  /// Connections from now on see `certificate`; those that are open go on.
  func use(_ certificate: IssuedCertificate) throws {
    let context = try Self.context(certificate, authenticator)
    current.withLock { $0 = context }
  }

  private static func context(_ certificate: IssuedCertificate, _ authenticator: Authenticator) throws -> NIOSSLContext
  {
    var tls = TLSConfiguration.makeServerConfiguration(
      certificateChain: try certificate.certificateChain(), privateKey: try certificate.privateKey())
    tls.minimumTLSVersion = .tlsv12
    tls.applicationProtocols = NIOHTTP2SupportedALPNProtocols
    // A certificate is asked for, not demanded; the callback of each connection takes it.
    tls.certificateVerification = .optionalVerification
    tls.trustRoots = try authenticator.trustRoots()
    tls.sendCANameList = true
    return try NIOSSLContext(configuration: tls)
  }
}
