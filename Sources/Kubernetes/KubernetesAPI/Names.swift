/// The rules for names in the Kubernetes API (RFC 1123 and "Object Names and IDs").
public enum Names {
  /// `[a-z0-9]([-a-z0-9]*[a-z0-9])?`, at most 63 characters.
  public static func isDNSLabel(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    guard (1...63).contains(bytes.count) else { return false }
    return bytes.allSatisfy { isLowerAlphanumeric($0) || $0 == UInt8(ascii: "-") }
      && isLowerAlphanumeric(bytes[0]) && isLowerAlphanumeric(bytes[bytes.count - 1])
  }

  /// Labels joined by dots, at most 253 characters.
  public static func isDNSSubdomain(_ text: String) -> Bool {
    guard (1...253).contains(text.utf8.count) else { return false }
    return text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { part in
      let bytes = Array(part.utf8)
      return !bytes.isEmpty
        && bytes.allSatisfy { isLowerAlphanumeric($0) || $0 == UInt8(ascii: "-") }
        && isLowerAlphanumeric(bytes[0]) && isLowerAlphanumeric(bytes[bytes.count - 1])
    }
  }

  /// A path segment (RBAC names): no `/`, no `%`, not `.` or `..`.
  public static func isPathSegment(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.count <= 253 && text != "." && text != ".."
      && !text.utf8.contains { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "%") || $0 < 0x21 }
  }

  /// A seccomp or AppArmor profile on a node: parts of letters, digits, `-`, `_`, `.` between slashes, none of them `.` or
  /// `..`, at most 253 characters in all.
  public static func isProfileName(_ text: String) -> Bool {
    text.utf8.count <= 253
      && text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy { part in
        !part.isEmpty && !part.elementsEqual(".".utf8) && !part.elementsEqual("..".utf8)
          && part.allSatisfy { isAlphanumeric($0) || "-_.".utf8.contains($0) }
      }
  }

  /// A label's or annotation's key: `[prefix/]name`.
  public static func isQualifiedName(_ text: String) -> Bool {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let name = parts.last, isQualifiedPart(name) else { return false }
    return parts.count == 1 || isDNSSubdomain(String(parts[0]))
  }

  /// A label's value: empty, or 63 characters of letters, digits, `-`, `_`, `.`, beginning and ending with one of the first two.
  public static func isLabelValue(_ text: String) -> Bool { text.isEmpty || isQualifiedPart(text[...]) }

  private static func isQualifiedPart(_ text: Substring) -> Bool {
    let bytes = Array(text.utf8)
    guard (1...63).contains(bytes.count) else { return false }
    return isAlphanumeric(bytes[0]) && isAlphanumeric(bytes[bytes.count - 1])
      && bytes.allSatisfy {
        isAlphanumeric($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".")
      }
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    isLowerAlphanumeric(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
  }

  private static func isLowerAlphanumeric(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }
}
