/// `$(NAME)` in commands, arguments and values of variables (core/v1 `EnvVar.value`).
enum VariableExpansion {
  /// Replaces references to known variables; others stay as they are; `$$` is one `$`.
  static func expand(_ text: String, _ variables: [String: String]) -> String {
    guard text.utf8.contains(UInt8(ascii: "$")) else { return text }
    let bytes = Array(text.utf8)
    var result: [UInt8] = []
    var position = 0
    while position < bytes.count {
      guard bytes[position] == UInt8(ascii: "$"), position + 1 < bytes.count else {
        result.append(bytes[position])
        position += 1
        continue
      }
      switch bytes[position + 1] {
      case UInt8(ascii: "$"):
        result.append(UInt8(ascii: "$"))
        position += 2
      case UInt8(ascii: "("):
        guard let end = bytes[(position + 2)...].firstIndex(of: UInt8(ascii: ")")) else {
          result += bytes[position...]
          return String(decoding: result, as: UTF8.self)
        }
        let name = String(decoding: bytes[(position + 2)..<end], as: UTF8.self)
        if let value = variables[name] { result += Array(value.utf8) } else { result += bytes[position...end] }
        position = end + 1
      default:
        result.append(bytes[position])
        position += 1
      }
    }
    return String(decoding: result, as: UTF8.self)
  }
}
