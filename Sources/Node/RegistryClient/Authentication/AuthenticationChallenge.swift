/// What a registry wants, from `WWW-Authenticate` (RFC 9110, section 11.6.1; distribution specification, "token").
public struct AuthenticationChallenge: Sendable, Hashable {
  /// Lower case: `bearer`, `basic`.
  public var scheme: String
  /// By lower-case name.
  public var parameters: [String: String]

  /// Bytes of a header that are looked at.
  static let limitBytes = 16 << 10

  /// All challenges of one header; what is malformed ends the list.
  public static func parse(_ text: String) -> [AuthenticationChallenge] {
    var reader = Reader(bytes: Array(text.utf8.prefix(limitBytes)))
    var challenges: [AuthenticationChallenge] = []
    while challenges.count < 16 {
      reader.skip(separators: true)
      guard let scheme = reader.token() else { return challenges }
      var challenge = AuthenticationChallenge(scheme: scheme.lowercased(), parameters: [:])
      while true {
        let before = reader.position
        reader.skip(separators: true)
        guard let name = reader.token() else { break }
        reader.skip(separators: false)
        guard reader.take(UInt8(ascii: "=")) else {
          // A word without a value begins the next challenge.
          reader.position = before
          break
        }
        reader.skip(separators: false)
        guard let value = reader.quoted() ?? reader.token() else {
          challenges.append(challenge)
          return challenges
        }
        challenge.parameters[name.lowercased()] = value
      }
      challenges.append(challenge)
    }
    return challenges
  }

  private struct Reader {
    let bytes: [UInt8]
    var position = 0

    var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    mutating func skip(separators: Bool) {
      while let byte = next, byte == 0x20 || byte == 0x09 || (separators && byte == UInt8(ascii: ",")) { position += 1 }
    }

    mutating func take(_ byte: UInt8) -> Bool {
      guard next == byte else { return false }
      position += 1
      return true
    }

    mutating func token() -> String? {
      let start = position
      let others = Array("!#$%&'*+-.^_`|~/:".utf8)
      while let byte = next, (48...57).contains(byte) || (97...122).contains(byte | 0x20) || others.contains(byte) {
        position += 1
      }
      return position > start ? String(decoding: bytes[start..<position], as: UTF8.self) : nil
    }

    mutating func quoted() -> String? {
      guard take(UInt8(ascii: "\"")) else { return nil }
      var text: [UInt8] = []
      while let byte = next {
        position += 1
        if byte == UInt8(ascii: "\"") { return String(decoding: text, as: UTF8.self) }
        if byte == UInt8(ascii: "\\"), let escaped = next {
          position += 1
          text.append(escaped)
        } else {
          text.append(byte)
        }
      }
      return nil
    }
  }
}
