extension YAML {
  /// Whether a document that uses aliases seems to have keys that are aliases or collections.
  ///
  /// Yams hashes every key with all that its aliases stand for, which grows without bound by a few lines (`- &b [*a, *a]`).
  /// No object has such keys, so they are refused before Yams reads them.
  static func mayHashAliases(_ text: String) -> Bool {
    guard text.utf8.contains(UInt8(ascii: "&")), text.utf8.contains(UInt8(ascii: "*")) else { return false }
    let bytes = Array(text.utf8)
    let anchors = Set(tokens(UInt8(ascii: "&"), in: bytes).map { bytes[$0] })
    guard !anchors.isEmpty else { return false }
    let aliases = tokens(UInt8(ascii: "*"), in: bytes).filter { anchors.contains(bytes[$0]) }
    guard !aliases.isEmpty else { return false }
    if aliases.contains(where: { isKey(endingAt: $0.upperBound, in: bytes) }) { return true }
    return bytes.indices.contains { index in
      switch bytes[index] {
      case UInt8(ascii: "]"), UInt8(ascii: "}"): isKey(endingAt: index + 1, in: bytes)
      case UInt8(ascii: "?"):
        mayBegin(at: index, in: bytes) && (index + 1 == bytes.count || isBlank(bytes[index + 1]))
      default: false
      }
    }
  }

  /// The names behind a sign (`&name`, `*name`) where a value may begin.
  private static func tokens(_ sign: UInt8, in bytes: [UInt8]) -> [Range<Int>] {
    var found: [Range<Int>] = []
    var index = 0
    while let at = bytes[index...].firstIndex(of: sign) {
      index = at + 1
      guard mayBegin(at: at, in: bytes) else { continue }
      let end = bytes[index...].firstIndex { isBlank($0) || isFlow($0) || $0 == UInt8(ascii: ":") } ?? bytes.count
      if end > index { found.append(index..<end) }
      index = end
    }
    return found
  }

  private static func mayBegin(at index: Int, in bytes: [UInt8]) -> Bool {
    guard index > 0 else { return true }
    return isBlank(bytes[index - 1]) || isFlow(bytes[index - 1]) || bytes[index - 1] == UInt8(ascii: "-")
      || bytes[index - 1] == UInt8(ascii: ":")
  }

  /// A colon follows, behind blanks or at once.
  private static func isKey(endingAt end: Int, in bytes: [UInt8]) -> Bool {
    var index = end
    while index < bytes.count, bytes[index] == UInt8(ascii: " ") || bytes[index] == UInt8(ascii: "\t") { index += 1 }
    return index < bytes.count && bytes[index] == UInt8(ascii: ":")
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D }

  private static func isFlow(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: ","): true
    default: false
    }
  }
}
