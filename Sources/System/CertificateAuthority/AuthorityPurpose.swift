import SwiftASN1
import X509

/// What an authority may vouch for. It is written into its root (RFC 5280, sections 4.2.1.10 and 4.2.1.12), so that whoever
/// trusts the root holds the authority to it, and `issue` refuses the rest before it is signed.
public struct AuthorityPurpose: Sendable, Hashable {
  /// What people see in a list of authorities.
  public var title: String
  /// `nil`: servers and clients.
  var usage: ExtendedKeyUsage.Usage?
  /// Domains with all names below them; empty: any name.
  var permittedDomains: [String] = []
  var excludedDomains: [String] = []
  /// CIDR blocks; empty: any address.
  var permittedAddresses: [String] = []
  var excludedAddresses: [String] = []

  static let allAddresses = ["0.0.0.0/0", "::/0"]
  /// Anything at all: for a private registry, say. The platform's own authorities are each made for one purpose.
  public static let general = AuthorityPurpose(title: "Nagaya CA")

  /// Serving certificates of the API: the cluster's names and `names`. Addresses are not constrained: BoringSSL, by which
  /// our own clients verify, refuses every address below a root that constrains addresses (`nc_match_single`).
  public static func apiServer(names: [String]) -> AuthorityPurpose {
    AuthorityPurpose(
      title: "Nagaya API server CA", usage: .serverAuth,
      permittedDomains: (["localhost", "cluster.local", "svc", "kubernetes"] + names).uniqued)
  }

  /// Client certificates of the API: names of users and groups, never of a host.
  public static let clients = AuthorityPurpose(
    title: "Nagaya client CA", usage: .clientAuth, excludedDomains: ["localhost", "cluster.local", "svc"],
    excludedAddresses: allAddresses)

  /// Certificates of apps: hosts of one domain.
  public static func edge(domain: String) -> AuthorityPurpose {
    AuthorityPurpose(
      title: "Nagaya edge CA", usage: .serverAuth, permittedDomains: [domain.lowercased()],
      excludedAddresses: allAddresses)
  }

  /// `nil` where nothing is constrained.
  func nameConstraints() throws -> NameConstraints? {
    guard !(permittedDomains + excludedDomains + permittedAddresses + excludedAddresses).isEmpty else { return nil }
    return NameConstraints(
      permittedDNSDomains: permittedDomains, excludedDNSDomains: excludedDomains,
      permittedIPRanges: try permittedAddresses.map(Self.range), excludedIPRanges: try excludedAddresses.map(Self.range)
    )
  }

  /// Address and mask, as RFC 5280 writes a block.
  private static func range(_ block: String) throws -> ASN1OctetString {
    let parts = block.split(separator: "/")
    guard parts.count == 2, let address = LeafRequest.addressBytes(String(parts[0])), let length = Int(parts[1]),
      (0...address.count * 8).contains(length)
    else { throw CertificateAuthorityError.invalidName(block) }
    let mask = address.indices.map { index in
      let bits = min(8, max(0, length - index * 8))
      return bits == 0 ? 0 : UInt8(truncatingIfNeeded: 0xFF << (8 - bits))
    }
    return ASN1OctetString(contentBytes: (address + mask)[...])
  }
}

extension NameConstraints {
  /// Whether a leaf with these names would be accepted by who trusts the root.
  func permits(_ name: GeneralName) -> Bool {
    switch name {
    case .dnsName(let host):
      let host = host.lowercased()
      func covers(_ domain: String) -> Bool { host == domain || host.hasSuffix(".\(domain)") }
      return !excludedDNSDomains.contains(where: covers)
        && (permittedDNSDomains.isEmpty || permittedDNSDomains.contains(where: covers))
    case .ipAddress(let address):
      func covers(_ range: ASN1OctetString) -> Bool {
        let (bytes, range) = (Array(address.bytes), Array(range.bytes))
        guard range.count == bytes.count * 2 else { return false }
        return bytes.indices.allSatisfy { bytes[$0] & range[bytes.count + $0] == range[$0] & range[bytes.count + $0] }
      }
      return !excludedIPRanges.contains(where: covers)
        && (permittedIPRanges.isEmpty || permittedIPRanges.contains(where: covers))
    default: return false
    }
  }
}

extension [String] {
  /// Without repetitions, in order.
  fileprivate var uniqued: [String] {
    var seen: Set<String> = []
    return filter { seen.insert($0).inserted }
  }
}
