/// The name of an image: `registry/repository:tag`, with the defaults that Docker's short names have.
public struct ImageReference: Sendable, Hashable, CustomStringConvertible {
  /// `docker.io`, `nagaya.local`, `127.0.0.1:5000`.
  public let registry: String
  /// `library/nginx`
  public let repository: String
  /// `latest` if neither tag nor digest was given.
  public let tag: String?
  public let digest: Digest?

  public struct Malformed: Error, Hashable, CustomStringConvertible {
    public let description: String
  }

  /// Reads a full or short name; `nginx` means `docker.io/library/nginx:latest`.
  public init(_ text: String) throws(Malformed) {
    func malformed(_ why: String) -> Malformed { Malformed(description: "\"\(text)\" is no image name: \(why)") }
    var rest = text[...]
    if let at = rest.firstIndex(of: "@") {
      guard let digest = Digest(String(rest[rest.index(after: at)...])) else {
        throw malformed("what follows @ must be sha256: and 64 hexadecimal digits")
      }
      self.digest = digest
      rest = rest[..<at]
    } else {
      digest = nil
    }
    if let colon = rest.lastIndex(of: ":"), !rest[colon...].contains("/") {
      let tag = rest[rest.index(after: colon)...]
      guard Self.isTag(tag) else { throw malformed("the tag may have letters, digits, _, . and -, at most 128") }
      self.tag = String(tag)
      rest = rest[..<colon]
    } else {
      tag = digest == nil ? "latest" : nil
    }
    // The first part is a registry if it looks like a host: Docker's rule, which containerd and kubectl share.
    if let slash = rest.firstIndex(of: "/"), Self.isHost(rest[..<slash]) {
      registry = rest[..<slash] == "index.docker.io" ? "docker.io" : String(rest[..<slash])
      rest = rest[rest.index(after: slash)...]
    } else {
      registry = "docker.io"
    }
    guard !rest.isEmpty else { throw malformed("a repository is missing") }
    guard rest.utf8.count <= 255, rest.split(separator: "/", omittingEmptySubsequences: false).allSatisfy(Self.isPart)
    else { throw malformed("repository parts are lower-case letters and digits, joined by ., _ or -") }
    repository = registry == "docker.io" && !rest.contains("/") ? "library/\(rest)" : String(rest)
  }

  /// The full name, as containerd stores it.
  public var description: String {
    var text = "\(registry)/\(repository)"
    if let tag { text += ":\(tag)" }
    if let digest { text += "@\(digest)" }
    return text
  }

  private static func isHost(_ text: Substring) -> Bool {
    (text == "localhost" || text.contains(".") || text.contains(":"))
      && text.utf8.allSatisfy { isAlphanumeric($0) || [0x2D, 0x2E, 0x3A].contains($0) }
  }

  private static func isTag(_ text: Substring) -> Bool {
    guard let first = text.utf8.first, text.utf8.count <= 128 else { return false }
    return (isAlphanumeric(first) || first == UInt8(ascii: "_"))
      && text.utf8.allSatisfy { isAlphanumeric($0) || [0x5F, 0x2E, 0x2D].contains($0) }
  }

  private static func isPart(_ text: Substring) -> Bool {
    guard let first = text.utf8.first, let last = text.utf8.last else { return false }
    func isLower(_ byte: UInt8) -> Bool { isAlphanumeric(byte) && !(65...90).contains(byte) }
    return isLower(first) && isLower(last) && text.utf8.allSatisfy { isLower($0) || [0x5F, 0x2E, 0x2D].contains($0) }
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
  }
}
