import NIOHTTP1

/// Keeps what an app's answer tells browsers within the site of its tenant, `<tenant>.<domain>`.
///
/// Browsers take cookies for any parent of a host that is no public suffix, so without this an app of one tenant could
/// set cookies that apps of all tenants get (RFC 6265 section 5.3; session fixation, cookies that shadow others').
enum CookieScope {
  /// Changes the fields of an answer's head: final, informational or of a switched protocol.
  /// - Parameters:
  ///   - site: `<tenant>.<domain>`.
  ///   - isOwnSite: browsers take `site` for a site of its own.
  static func limit(_ headers: inout HTTPHeaders, to site: String, isOwnSite: Bool) {
    if headers.contains(name: "set-cookie") {
      let values = headers["set-cookie"]
      let limited = values.compactMap { self.limited($0, to: site) }
      if limited != values {
        headers.remove(name: "set-cookie")
        for value in limited { headers.add(name: "set-cookie", value: value) }
      }
    }
    // RFC 2965, obsolete since 2011: only surprising clients read it.
    headers.remove(name: "set-cookie2")
    // It clears the cookies of the whole registrable domain (W3C Clear Site Data, section 4.2): here everybody's.
    if !isOwnSite { headers.remove(name: "clear-site-data") }
  }

  /// Trailers have no business with cookies (RFC 9110 section 6.5.1), but some clients take them like a head's fields.
  static func limit(trailers: HTTPHeaders?) -> HTTPHeaders? {
    guard var trailers else { return nil }
    for name in ["set-cookie", "set-cookie2", "clear-site-data"] { trailers.remove(name: name) }
    return trailers
  }

  /// A `Set-Cookie` value without `Domain` attributes that reach above or beside `site`; a cookie that loses its
  /// `Domain` is the host's alone. `nil`: the cookie is not passed on, since clients may read it in several ways.
  static func limited(_ value: String, to site: String) -> String? {
    let bytes = Array(value.utf8)
    // RFC 6265bis section 5.6: clients must ignore such cookies. Those that do not may cut at any of these bytes.
    guard bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else { return nil }
    guard mentionsDomain(bytes) else { return value }
    var kept: [ArraySlice<UInt8>] = []
    for (index, part) in bytes.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false).enumerated() {
      // Some clients take blanks and commas for separators, too: `a=b Domain=x`.
      let words = part.split { $0 == 0x20 || $0 == 0x09 || $0 == UInt8(ascii: ",") }
      if words.dropFirst().contains(where: startsWithDomain) { return nil }
      let pieces = part.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      if index > 0, lowercased(trimmed(pieces[0])) == Array("domain".utf8) {
        guard pieces.count == 2, isWithin(trimmed(pieces[1]), site) else { continue }
      }
      kept.append(part)
    }
    return String(decoding: Array(kept.joined(separator: [UInt8(ascii: ";")])), as: UTF8.self)
  }

  /// `site` itself or a host below it, with or without a leading dot; nothing quoted or escaped.
  private static func isWithin(_ domain: ArraySlice<UInt8>, _ site: String) -> Bool {
    var host = lowercased(domain)
    if host.first == UInt8(ascii: ".") { host.removeFirst() }
    let isPlain = host.allSatisfy {
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || (48...57).contains($0) || $0 == UInt8(ascii: "-")
        || $0 == UInt8(ascii: ".")
    }
    let site = Array(site.utf8)
    return isPlain && (host == site || host.suffix(site.count + 1).elementsEqual([UInt8(ascii: ".")] + site))
  }

  private static func mentionsDomain(_ bytes: [UInt8]) -> Bool {
    bytes.indices.contains { startsWithDomain(bytes[$0...]) }
  }

  private static func startsWithDomain(_ bytes: ArraySlice<UInt8>) -> Bool {
    bytes.count >= 6 && zip(bytes, "domain".utf8).allSatisfy { $0 | 0x20 == $1 }
  }

  private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    let isBlank: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 }
    let end = bytes.lastIndex { !isBlank($0) }.map { $0 + 1 } ?? bytes.startIndex
    return bytes[..<end].drop(while: isBlank)
  }

  private static func lowercased(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
    bytes.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
  }
}
