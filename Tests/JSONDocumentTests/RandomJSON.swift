import JSONDocument
import TestSupport

extension JSONValue {
  /// A random document of bounded depth. Numbers with a fraction only: whole ones are read back as integers.
  static func random(depth: Int, using generator: inout SeededGenerator) -> JSONValue {
    switch Int.random(in: 0..<(depth > 0 ? 8 : 6), using: &generator) {
    case 0: return .null
    case 1: return .bool(Bool.random(using: &generator))
    case 2: return .integer(Int64.random(in: .min ... .max, using: &generator))
    case 3: return .number(Double(Int.random(in: -1000...1000, using: &generator)) + 0.25)
    case 4, 5: return .string(randomText(&generator))
    case 6:
      return .array(
        (0..<Int.random(in: 0..<5, using: &generator)).map { _ in random(depth: depth - 1, using: &generator) })
    default:
      var members: [String: JSONValue] = [:]
      for _ in 0..<Int.random(in: 0..<5, using: &generator) {
        members[randomText(&generator)] = random(depth: depth - 1, using: &generator)
      }
      return .object(members)
    }
  }

  private static func randomText(_ generator: inout SeededGenerator) -> String {
    let alphabet: [Character] = ["a", "B", "/", "~", "\"", "\\", "\n", "\t", "\u{1}", "é", "長", "🏠", "0", " "]
    return String(
      (0..<Int.random(in: 0..<6, using: &generator)).compactMap { _ in alphabet.randomElement(using: &generator) })
  }
}
