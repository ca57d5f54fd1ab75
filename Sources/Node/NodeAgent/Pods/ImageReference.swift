/// The name of an image, as users write it.
enum ImageReference {
  /// Whether it has the form `[host[:port]/]path[:tag][@digest]`.
  static func isValid(_ text: String) -> Bool {
    guard !text.isEmpty, text.utf8.count <= 512 else { return false }
    let allowed = text.utf8.allSatisfy {
      ($0 | 0x20 >= 97 && $0 | 0x20 <= 122) || (48...57).contains($0) || "._-/:@+".utf8.contains($0)
    }
    guard allowed else { return false }
    let beforeDigest = text.split(separator: "@", omittingEmptySubsequences: false)
    guard beforeDigest.count <= 2 else { return false }
    if beforeDigest.count == 2 {
      let digest = beforeDigest[1].split(separator: ":", omittingEmptySubsequences: false)
      guard digest.count == 2, digest[1].count >= 32 else { return false }
    }
    var parts = beforeDigest[0].split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard parts.allSatisfy({ !$0.isEmpty }) else { return false }
    if parts.count > 1, parts[0].contains(".") || parts[0].contains(":") || parts[0] == "localhost" {
      parts.removeFirst()
    }
    guard let last = parts.popLast() else { return false }
    let tagged = last.split(separator: ":", omittingEmptySubsequences: false)
    guard tagged.count <= 2, tagged.allSatisfy({ !$0.isEmpty }) else { return false }
    return (parts + [String(tagged[0])]).allSatisfy { part in
      part.utf8.allSatisfy { !(65...90).contains($0) && $0 != UInt8(ascii: ":") }
    }
  }

  /// The default of `imagePullPolicy`: Always for `:latest` or no tag, IfNotPresent otherwise.
  static func defaultPullPolicy(_ text: String) -> String {
    if text.contains("@") { return "IfNotPresent" }
    guard let name = text.split(separator: "/").last, let colon = name.lastIndex(of: ":") else { return "Always" }
    return name[name.index(after: colon)...] == "latest" ? "Always" : "IfNotPresent"
  }
}
