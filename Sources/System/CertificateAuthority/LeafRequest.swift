import SwiftASN1
import X509

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What a leaf certificate is to say.
public enum LeafRequest: Sendable, Hashable {
  /// A TLS server. Clients look at the names alone; `*.example.test` is a wildcard. Addresses are IPv4 or IPv6 text.
  case server(commonName: String, dnsNames: [String], ipAddresses: [String])
  /// A TLS client: the common name is the user, the organizations are the groups (as Kubernetes reads them).
  /// `issuedBy` is remembered in the certificate (organizational unit): it ends with who had it issued.
  case client(commonName: String, organizations: [String], issuedBy: String? = nil)

  private static let issuerPrefix = "issued-by:"

  /// Who had the certificate issued, as its organizational unit says.
  public static func issuer(inUnit unit: String) -> String? {
    unit.hasPrefix(issuerPrefix) ? String(unit.dropFirst(issuerPrefix.count)) : nil
  }

  /// X.520: at most 64 characters.
  static let commonNameLimit = 64

  func subject() throws -> DistinguishedName {
    switch self {
    case .server(let commonName, _, _):
      // Only for people: nobody verifies a server by its common name.
      return try DistinguishedName { CommonName(String(commonName.prefix(Self.commonNameLimit))) }
    case .client(let commonName, let organizations, let issuer):
      guard (1...Self.commonNameLimit).contains(commonName.count) else {
        throw CertificateAuthorityError.invalidName(commonName)
      }
      for organization in organizations where !(1...Self.commonNameLimit).contains(organization.count) {
        throw CertificateAuthorityError.invalidName(organization)
      }
      if let issuer, !(1...Self.commonNameLimit - Self.issuerPrefix.count).contains(issuer.count) {
        throw CertificateAuthorityError.invalidName(issuer)
      }
      return try DistinguishedName {
        for organization in organizations { OrganizationName(organization) }
        if let issuer { OrganizationalUnitName(Self.issuerPrefix + issuer) }
        CommonName(commonName)
      }
    }
  }

  /// Subject alternative names, in order; none for clients.
  func alternativeNames() throws -> [GeneralName] {
    guard case .server(_, let dnsNames, let ipAddresses) = self else { return [] }
    return try dnsNames.map {
      guard Self.isDNSName($0) else { throw CertificateAuthorityError.invalidName($0) }
      return .dnsName($0)
    }
      + ipAddresses.map {
        guard let bytes = Self.addressBytes($0) else { throw CertificateAuthorityError.invalidName($0) }
        return .ipAddress(ASN1OctetString(contentBytes: bytes[...]))
      }
  }

  var usage: ExtendedKeyUsage.Usage {
    switch self {
    case .server: .serverAuth
    case .client: .clientAuth
    }
  }

  /// For messages.
  var purposeText: String {
    switch self {
    case .server: "servers"
    case .client: "clients"
    }
  }

  /// RFC 1123 host name, without a wildcard.
  public static func isHostName(_ name: String) -> Bool { isDNSName(name) && !name.hasPrefix("*") }

  /// RFC 1123 host name, of which the first label may be `*`.
  static func isDNSName(_ name: String) -> Bool {
    guard (1...253).contains(name.utf8.count) else { return false }
    let labels = name.split(separator: ".", omittingEmptySubsequences: false)
    return labels.enumerated().allSatisfy { index, label in
      if index == 0, label == "*" { return labels.count > 2 }
      let bytes = Array(label.utf8)
      return (1...63).contains(bytes.count) && bytes[0] != UInt8(ascii: "-")
        && bytes[bytes.count - 1] != UInt8(ascii: "-")
        && bytes.allSatisfy {
          (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0 | 0x20) || (48...57).contains($0)
            || $0 == UInt8(ascii: "-")
        }
    }
  }

  /// Whether the text is an IPv4 or IPv6 address.
  public static func isAddress(_ text: String) -> Bool { addressBytes(text) != nil }

  /// Whether the text is an address that stands for all of a machine's: `0.0.0.0`, `::`, however written.
  public static func isEveryAddress(_ text: String) -> Bool {
    addressBytes(text).map { $0.allSatisfy { $0 == 0 } } ?? false
  }

  /// 4 or 16 bytes in network order.
  static func addressBytes(_ text: String) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: 16)
    if inet_pton(AF_INET, text, &bytes) == 1 { return Array(bytes[..<4]) }
    return inet_pton(AF_INET6, text, &bytes) == 1 ? bytes : nil
  }
}
