/// Which certificate covers a host of a domain.
///
/// A wildcard covers one label only, so each environment of a tenant has its own: `hello.dev.demo.localhost` is served by
/// `*.dev.demo.localhost`.
public struct LeafNames: Sendable, Hashable {
  public let domain: String

  /// - Parameter domain: `localhost`; other domains' hosts get no certificate.
  public init(domain: String) { self.domain = domain.lowercased() }

  /// The name in the certificate that covers `host`: the domain itself, or up to three labels below it.
  /// - Returns: `nil` for hosts of other domains and for what is no host name.
  public func certificateName(forHost host: String) -> String? {
    var host = host.lowercased()
    if host.hasSuffix(".") { host.removeLast() }
    if host == domain { return domain }
    guard host.hasSuffix(".\(domain)"), LeafRequest.isHostName(host) else { return nil }
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
