import Crypto
import Foundation
import Locking
import NIOSSL
import X509

/// Wildcard certificates for the hosts of one domain, issued when a client first asks for one (TLS server name).
///
/// A wildcard covers one label only, so each environment of a tenant has its own: `hello.dev.demo.localhost` is served
/// by `*.dev.demo.localhost`. All share one key, which lives as long as the cache. The least recently used go first.
public final class LeafCache: Sendable {
  /// What a TLS handshake needs.
  public struct Leaf: Sendable {
    public let certificateChain: [NIOSSLCertificateSource]
    public let privateKey: NIOSSLPrivateKeySource
    let renewAfter: Date
  }

  private struct State {
    var authority: CertificateAuthority
    var leaves: [String: (leaf: Leaf, lastUse: UInt64)] = [:]
    var uses: UInt64 = 0
    /// Certificates issued since the start.
    var issued = 0
  }

  private let domain: String
  private let capacity: Int
  private let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
  private let state: Mutex<State>

  /// - Parameters:
  ///   - domain: `localhost`; other domains' hosts get no certificate.
  ///   - capacity: certificates kept.
  public init(authority: CertificateAuthority, domain: String, capacity: Int = 1024) {
    state = Mutex(State(authority: authority))
    self.domain = domain.lowercased()
    self.capacity = max(1, capacity)
  }

  /// Issues by this authority from now on; what another root signed is made anew when it is asked for.
  public func use(_ authority: CertificateAuthority) {
    state.withLock { state in
      guard state.authority.certificate != authority.certificate else { return }
      state.authority = authority
      state.leaves = [:]
    }
  }

  /// The certificate for a host of the domain: the domain itself, or up to three labels below it.
  /// - Returns: `nil` for hosts of other domains and for what is no host name.
  public func certificate(forHost host: String, now: Date = Date()) throws -> Leaf? {
    guard let name = certificateName(forHost: host) else { return nil }
    return try state.withLock { state in
      state.uses += 1
      if let known = state.leaves[name], now < known.leaf.renewAfter {
        state.leaves[name]?.lastUse = state.uses
        return known.leaf
      }
      let issued = try state.authority.issue(
        .server(commonName: name, dnsNames: [name], ipAddresses: []), key: key, now: now)
      let leaf = Leaf(
        certificateChain: try issued.certificateChain(), privateKey: try issued.privateKey(),
        renewAfter: now.addingTimeInterval(issued.notAfter.timeIntervalSince(now) * 2 / 3))
      state.issued += 1
      if state.leaves.count >= capacity, state.leaves[name] == nil,
        let oldest = state.leaves.min(by: { $0.value.lastUse < $1.value.lastUse })
      {
        state.leaves[oldest.key] = nil
      }
      state.leaves[name] = (leaf, state.uses)
      return leaf
    }
  }

  /// What `TLSConfiguration.sslContextCallback` takes: the certificate by the client's server name; the
  /// domain's own for clients that name no host of it.
  public var contextCallback: NIOSSLContextCallback {
    { [self] client, promise in
      promise.completeWith(
        Result {
          let named = try client.serverHostname.flatMap { try certificate(forHost: $0) }
          guard let leaf = try named ?? certificate(forHost: domain) else { return .noChanges }
          var override = NIOSSLContextConfigurationOverride()
          override.certificateChain = leaf.certificateChain
          override.privateKey = leaf.privateKey
          return override
        })
    }
  }

  var counts: (kept: Int, issued: Int) { state.withLock { ($0.leaves.count, $0.issued) } }

  /// The name in the certificate that covers `host`.
  func certificateName(forHost host: String) -> String? {
    var host = host.lowercased()
    if host.hasSuffix(".") { host.removeLast() }
    if host == domain { return domain }
    guard host.hasSuffix(".\(domain)"), LeafRequest.isDNSName(host), !host.hasPrefix("*") else { return nil }
    let labels = host.dropLast(domain.utf8.count + 1).split(separator: ".", omittingEmptySubsequences: false)
    switch labels.count {
    // A wildcard right below a domain of one label is refused by clients; and no tenant's certificate may cover it.
    case 1: return host
    case 2: return "*.\(labels[1]).\(domain)"
    case 3: return "*.\(labels[1]).\(labels[2]).\(domain)"
    default: return nil
    }
  }
}
