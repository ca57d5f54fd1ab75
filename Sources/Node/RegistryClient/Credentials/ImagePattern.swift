/// Which images a credential is for, as kubelet's configuration writes it: `*.dkr.ecr.*.amazonaws.com`, `registry.io:8080/team`
/// (kubelet.config.k8s.io/v1, CredentialProvider.matchImages).
///
/// `*` and `?` stand for characters within one part of the host's name; port and path are taken as they are, the path as
/// a beginning.
public struct ImagePattern: Sendable, Hashable, CustomStringConvertible {
  public let description: String
  private let labels: [[UInt8]]
  private let port: String
  private let path: String

  /// `nil` if there is no host in it.
  public init?(_ text: String) {
    var rest = text[...]
    for scheme in ["https://", "http://"] where rest.hasPrefix(scheme) { rest = rest.dropFirst(scheme.count) }
    let (host, port, path) = Self.split(rest)
    guard !host.isEmpty, text.utf8.count <= 1024 else { return nil }
    description = text
    labels = host.split(separator: ".", omittingEmptySubsequences: false).map { Array($0.utf8) }
    self.port = port
    self.path = path
  }

  /// - Parameter image: `host[:port]/repository`
  public func matches(_ image: String) -> Bool {
    let (host, port, path) = Self.split(image[...])
    let parts = host.split(separator: ".", omittingEmptySubsequences: false).map { Array($0.utf8) }
    return parts.count == labels.count && port == self.port && path.hasPrefix(self.path)
      && zip(labels, parts).allSatisfy { Self.glob($0, $1) }
  }

  private static func split(_ text: Substring) -> (host: String, port: String, path: String) {
    let slash = text.firstIndex(of: "/") ?? text.endIndex
    var host = text[..<slash]
    var port = ""
    if let colon = host.lastIndex(of: ":") {
      port = String(host[host.index(after: colon)...])
      host = host[..<colon]
    }
    var path = text[slash...]
    while path.hasSuffix("/") { path = path.dropLast() }
    return (String(host), port, String(path))
  }

  /// Matching with the last star as the only place to go back to, so that it takes no longer than length times length.
  private static func glob(_ pattern: [UInt8], _ text: [UInt8]) -> Bool {
    var (p, t) = (0, 0)
    var star: (pattern: Int, text: Int)?
    while t < text.count {
      if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
        star = (p, t)
        p += 1
      } else if p < pattern.count, pattern[p] == UInt8(ascii: "?") || pattern[p] == text[t] {
        p += 1
        t += 1
      } else if let back = star {
        p = back.pattern + 1
        t = back.text + 1
        star = (back.pattern, t)
      } else {
        return false
      }
    }
    return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
  }
}
