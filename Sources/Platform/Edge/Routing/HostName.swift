import KubernetesAPI

/// Reads `Host` and `:authority` (RFC 9110 section 7.2). Which app is meant, `AppHost` says.
enum HostName {
  /// The host without its port, in lower case and without a trailing dot; `nil` if it is malformed.
  static func normalized(_ authority: String) -> String? {
    guard !authority.isEmpty, authority.utf8.count <= 260 else { return nil }
    var host = authority[...]
    if host.first == "[" {
      guard let end = host.firstIndex(of: "]") else { return nil }
      let rest = host[host.index(after: end)...]
      guard rest.isEmpty || isPort(rest) else { return nil }
      return host[...end].lowercased()
    }
    if let colon = host.firstIndex(of: ":") {
      guard isPort(host[colon...]) else { return nil }
      host = host[..<colon]
    }
    if host.last == "." { host = host.dropLast() }
    let isPlain = host.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
        true
      default: false
      }
    }
    guard isPlain, !host.isEmpty else { return nil }
    return host.lowercased()
  }

  /// `:8443`, or a colon alone.
  private static func isPort(_ text: Substring) -> Bool {
    text.first == ":" && text.utf8.count <= 6 && text.dropFirst().utf8.allSatisfy { (48...57).contains($0) }
  }

  /// The app of a host as it was once made, `<app>.<namespace>.<domain>`, by default below `nagaya.localhost`; only to
  /// tell people where the app is now.
  static func formerApp(of host: String, domain: String) -> ObjectKey? {
    var labels = AppHost.labels(of: host, below: domain)
    if domain == "localhost", labels.count == 3, labels[2] == "nagaya" { labels.removeLast() }
    guard labels.count == 2, labels.allSatisfy(Names.isDNSLabel) else { return nil }
    return ObjectKey(namespace: labels[1], name: labels[0])
  }
}
