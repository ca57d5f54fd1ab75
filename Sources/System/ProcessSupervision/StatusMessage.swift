import JSONDocument

/// What a part tells its supervisor, one line of JSON each.
enum StatusMessage: Sendable, Hashable {
  /// Something in it has come up.
  case step(name: String, detail: String)
  /// Others may rely on it.
  case ready
  /// It will end, and why.
  case failed(reason: String)

  /// Bytes of a line, and characters of a text in it: a part that has gone wrong must not fill the supervisor's memory.
  static let lineLimit = 16 << 10
  static let textLimit = 4 << 10

  var line: [UInt8] {
    let json: JSONValue =
      switch self {
      case .step(let name, let detail): ["step": .string(Self.short(name)), "detail": .string(Self.short(detail))]
      case .ready: ["ready": true]
      case .failed(let reason): ["failed": .string(Self.short(reason))]
      }
    return json.encoded() + [UInt8(ascii: "\n")]
  }

  /// - Returns: `nil` for what is no message.
  init?(line: some Collection<UInt8>) {
    guard line.count <= Self.lineLimit, let json = try? JSONValue(parsing: Array(line)) else { return nil }
    if let name = json["step"].string {
      self = .step(name: Self.short(name), detail: Self.short(json["detail"].string ?? ""))
    } else if let reason = json["failed"].string {
      self = .failed(reason: Self.short(reason))
    } else if json["ready"].bool == true {
      self = .ready
    } else {
      return nil
    }
  }

  private init(_ message: StatusMessage) { self = message }

  private static func short(_ text: String) -> String { String(text.unicodeScalars.prefix(textLimit / 4)) }
}
