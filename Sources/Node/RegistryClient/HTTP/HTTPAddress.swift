/// An absolute `http` or `https` address (RFC 3986), as far as registries need it.
struct HTTPAddress: Sendable, Hashable {
  var isEncrypted: Bool
  /// Lower case; a literal IPv6 address with its brackets.
  var host: String
  var port: Int
  /// Path and query, beginning with `/`.
  var target: String

  /// Reads an absolute address, or one that is relative to another (an answer's `Location`).
  ///
  /// `nil` for other schemes, user names in the address, white space and control characters, and more than 16 KiB.
  init?(_ text: String, relativeTo base: HTTPAddress? = nil) {
    guard text.utf8.count <= 16 << 10, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
    var rest = text[...]
    if let fragment = rest.firstIndex(of: "#") { rest = rest[..<fragment] }
    let lowered = rest.prefix(8).lowercased()
    let isEncrypted = lowered.hasPrefix("https://")
    guard isEncrypted || lowered.hasPrefix("http://") else {
      guard let base else { return nil }
      self.init(reference: rest, base)
      return
    }
    rest = rest.dropFirst(isEncrypted ? 8 : 7)
    let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
    guard let (host, port) = Self.authority(rest[..<end]) else { return nil }
    let target = rest[end...]
    self.init(
      isEncrypted: isEncrypted, host: host, port: port ?? (isEncrypted ? 443 : 80),
      target: target.hasPrefix("/") ? String(target) : "/" + target)
  }

  private init(isEncrypted: Bool, host: String, port: Int, target: String) {
    self.isEncrypted = isEncrypted
    self.host = host
    self.port = port
    self.target = target
  }

  private init?(reference: Substring, _ base: HTTPAddress) {
    if reference.hasPrefix("//") {
      self.init((base.isEncrypted ? "https:" : "http:") + reference)
      return
    }
    self = base
    if reference.hasPrefix("/") {
      target = String(reference)
    } else if !reference.isEmpty, !(reference.prefix { $0 != "/" && $0 != "?" }).contains(":") {
      let path = base.target.prefix { $0 != "?" }
      let folder = path[...(path.lastIndex(of: "/") ?? path.startIndex)]
      target = String(reference.hasPrefix("?") ? path : folder) + reference
    } else {
      return nil
    }
  }

  /// Splits `host:port`; the port is `nil` if there is none.
  static func authority(_ text: Substring) -> (host: String, port: Int?)? {
    guard !text.isEmpty, !text.contains("@") else { return nil }
    var host = text
    var port: Int?
    let afterBrackets = text.lastIndex(of: "]").map { text.index(after: $0) } ?? text.startIndex
    if let colon = text[afterBrackets...].lastIndex(of: ":") {
      host = text[..<colon]
      guard let number = Int(text[text.index(after: colon)...]), (1...65_535).contains(number) else { return nil }
      port = number
    }
    let isLiteral = host.hasPrefix("[") && host.hasSuffix("]")
    let allowed = host.utf8.allSatisfy {
      (48...57).contains($0) || (97...122).contains($0 | 0x20) || $0 == 0x2D || $0 == 0x2E || $0 == 0x5F
        || (isLiteral && ($0 == 0x3A || $0 == 0x5B || $0 == 0x5D))
    }
    guard !host.isEmpty, allowed else { return nil }
    return (host.lowercased(), port)
  }

  /// Whether a host's name stands for this machine itself.
  static func isLoopback(_ host: String) -> Bool {
    let bare = host.lowercased()
    return bare == "localhost" || bare.hasSuffix(".localhost") || bare == "[::1]"
      || (bare.hasPrefix("127.") && bare.split(separator: ".").count == 4
        && bare.utf8.allSatisfy { (48...57).contains($0) || $0 == 0x2E })
  }

  /// Scheme, host and port: what credentials belong to.
  var origin: String { "\(isEncrypted ? "https" : "http")://\(host):\(port)" }

  /// The host, with the port if it is not the scheme's own.
  var authority: String { port == (isEncrypted ? 443 : 80) ? host : "\(host):\(port)" }

  var url: String { "\(isEncrypted ? "https" : "http")://\(authority)\(target)" }

  /// The same address with more path and a query; parts of the query must be encoded.
  func appending(_ path: String, query: [String] = []) -> HTTPAddress {
    var address = self
    while address.target.hasSuffix("/") { address.target.removeLast() }
    address.target += path
    if !query.isEmpty { address.target += (address.target.contains("?") ? "&" : "?") + query.joined(separator: "&") }
    return address
  }

  /// Percent-encodes a query's part: all but unreserved characters (RFC 3986, section 2.3).
  static func encode(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var bytes: [UInt8] = []
    for byte in text.utf8 {
      switch byte {
      case 48...57, 65...90, 97...122, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
        bytes.append(byte)
      default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
