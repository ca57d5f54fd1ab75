import NIOSSL

/// One place where a registry's content can be had: the registry itself or a mirror of it.
struct RegistryHost: Sendable {
  enum Capability: String, Sendable, CaseIterable { case pull, resolve, push, referrers }

  /// Where the API is: `https://registry-1.docker.io/v2`.
  var api: HTTPAddress
  var capabilities: Set<Capability>
  /// Sent to this host alone.
  var headers: [Header] = []
  var trust = TLSTrust()
  /// The registry that a mirror stands for, sent as `?ns=`; nil for the registry itself.
  var mirrorOf: String?
  /// Under which name credentials are looked up.
  var name: String

  struct Header: Sendable, Hashable {
    var name: String
    var value: String
  }
}

/// Whom to believe, and how to show oneself.
struct TLSTrust: Sendable {
  /// Trusted besides the system's.
  var authorities: [NIOSSLCertificate] = []
  var clientCertificate: [NIOSSLCertificate] = []
  var clientKey: NIOSSLPrivateKey?
  var skipsVerification = false

  /// For the host itself.
  var configuration: TLSConfiguration? {
    guard !authorities.isEmpty || clientKey != nil || skipsVerification else { return nil }
    var tls = base
    if skipsVerification { tls.certificateVerification = .none }
    if let clientKey {
      tls.certificateChain = clientCertificate.map { .certificate($0) }
      tls.privateKey = .privateKey(clientKey)
    }
    return tls
  }

  /// For hosts it sends us to: its authorities are believed there too, but we don't show its certificate, and
  /// verification is not left out.
  var redirected: TLSConfiguration? { authorities.isEmpty ? nil : base }

  private var base: TLSConfiguration {
    var tls = TLSConfiguration.makeClientConfiguration()
    tls.minimumTLSVersion = .tlsv12
    if !authorities.isEmpty { tls.additionalTrustRoots = [.certificates(authorities)] }
    return tls
  }
}
