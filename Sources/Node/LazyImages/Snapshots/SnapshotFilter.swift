/// What `List` asks for: filters in containerd's syntax (its package pkg/filters), of which one must match.
///
/// A filter is a list of selectors joined by commas, which must all match: `FIELD` (is present), `FIELD==VALUE`,
/// `FIELD!=VALUE`, `FIELD~=PATTERN`. Fields are `name`, `parent`, `kind` and `labels.KEY`; parts and values with other
/// characters than letters, digits and `_` stand in double quotes with Go's escapes, patterns also in `/` or `|`.
struct SnapshotFilter: Sendable {
  enum Test: Sendable {
    case present
    case equal(String)
    case notEqual(String)
    case matches(FilterPattern)
  }

  struct Selector: Sendable {
    /// `["labels", "containerd.io/gc.root"]`
    var field: [String]
    var test: Test
  }

  /// Any of the lists, all of its selectors; empty: everything matches.
  let alternatives: [[Selector]]

  init(_ filters: [String]) throws(SnapshotError) {
    var alternatives: [[Selector]] = []
    for filter in filters {
      var parser = FilterParser(filter)
      alternatives.append(try parser.selectors())
    }
    self.alternatives = alternatives
  }

  func matches(_ info: SnapshotInfo) -> Bool {
    alternatives.isEmpty || alternatives.contains { $0.allSatisfy { $0.matches(info) } }
  }
}

extension SnapshotFilter.Selector {
  func matches(_ info: SnapshotInfo) -> Bool {
    let value = value(info)
    return switch test {
    case .present: value != nil
    // By bytes: Swift takes differently composed characters for equal.
    case .equal(let wanted): value.map { $0.utf8.elementsEqual(wanted.utf8) } ?? false
    case .notEqual(let unwanted): !(value ?? "").utf8.elementsEqual(unwanted.utf8)
    case .matches(let pattern): pattern.matches(value ?? "")
    }
  }

  private func value(_ info: SnapshotInfo) -> String? {
    switch (field[0], field.count) {
    case ("name", _): info.name
    case ("parent", _): info.parent
    case ("kind", _): info.kind.word
    case ("labels", 2...): info.labels[field[1...].joined(separator: ".")]
    default: nil
    }
  }
}

/// Reads one filter.
struct FilterParser {
  private let text: [UInt8]
  private var index = 0

  init(_ text: String) { self.text = Array(text.utf8) }

  /// Empty for an empty filter.
  mutating func selectors() throws(SnapshotError) -> [SnapshotFilter.Selector] {
    if text.isEmpty { return [] }
    var selectors = [try selector()]
    while true {
      skipSpace()
      guard let byte = next else { return selectors }
      guard byte == UInt8(ascii: ",") else { throw malformed("a comma was expected") }
      index += 1
      selectors.append(try selector())
    }
  }

  private mutating func selector() throws(SnapshotError) -> SnapshotFilter.Selector {
    var field = [try fieldPart()]
    while next == UInt8(ascii: ".") {
      index += 1
      field.append(try fieldPart())
    }
    skipSpace()
    guard let byte = next, byte != UInt8(ascii: ",") else { return .init(field: field, test: .present) }
    let end = text[index...].firstIndex { !"=!~".utf8.contains($0) } ?? text.count
    guard end - index == 2, text[index + 1] == UInt8(ascii: "=") else {
      throw malformed("an operator was expected: ==, != or ~=")
    }
    index += 2
    skipSpace()
    switch byte {
    case UInt8(ascii: "="): return .init(field: field, test: .equal(try value()))
    case UInt8(ascii: "!"): return .init(field: field, test: .notEqual(try value()))
    default:
      let start = index
      let pattern = try value(isPattern: true)
      do throws(FilterPattern.Malformed) {
        return .init(field: field, test: .matches(try FilterPattern(pattern)))
      } catch {
        index = start
        throw malformed("\(error)")
      }
    }
  }

  private mutating func fieldPart() throws(SnapshotError) -> String {
    skipSpace()
    if next == UInt8(ascii: "\"") { return try quoted(isPattern: false) }
    let start = index
    while let byte = next, Self.isFieldByte(byte) { index += 1 }
    guard index > start else { throw malformed("a field was expected") }
    return String(decoding: text[start..<index], as: UTF8.self)
  }

  private mutating func value(isPattern: Bool = false) throws(SnapshotError) -> String {
    guard let first = next else { throw malformed("a value was expected") }
    if first == UInt8(ascii: "\"") || isPattern && (first == UInt8(ascii: "/") || first == UInt8(ascii: "|")) {
      return try quoted(isPattern: isPattern)
    }
    let start = index
    while let byte = next, byte != UInt8(ascii: ","), !Self.isSpace(byte) { index += 1 }
    guard index > start else { throw malformed("a value was expected") }
    return String(decoding: text[start..<index], as: UTF8.self)
  }

  /// Go's string syntax. In patterns, escapes that Go does not know are the pattern's.
  private mutating func quoted(isPattern: Bool) throws(SnapshotError) -> String {
    let quote = text[index]
    index += 1
    var bytes: [UInt8] = []
    while let byte = next {
      index += 1
      switch byte {
      case quote:
        guard let string = String(validating: bytes, as: UTF8.self) else { throw malformed("a value is not UTF-8") }
        return string
      case UInt8(ascii: "\n"): throw malformed("a quoted value ends before its line does")
      case UInt8(ascii: "\\"): bytes += try escape(quote, isPattern: isPattern)
      default: bytes.append(byte)
      }
    }
    throw malformed("a quoted value has no end")
  }

  private mutating func escape(_ quote: UInt8, isPattern: Bool) throws(SnapshotError) -> [UInt8] {
    guard let byte = next else { throw malformed("a quoted value has no end") }
    index += 1
    switch byte {
    case quote, UInt8(ascii: "\\"): return [byte]
    case UInt8(ascii: "a"): return [7]
    case UInt8(ascii: "b"): return [8]
    case UInt8(ascii: "f"): return [12]
    case UInt8(ascii: "n"): return [10]
    case UInt8(ascii: "r"): return [13]
    case UInt8(ascii: "t"): return [9]
    case UInt8(ascii: "v"): return [11]
    case UInt8(ascii: "x"): return [UInt8(try number(16, digits: 2))]
    case UInt8(ascii: "0")...UInt8(ascii: "7"):
      index -= 1
      let value = try number(8, digits: 3)
      guard value < 256 else { throw malformed("an octal escape is larger than a byte") }
      return [UInt8(value)]
    case UInt8(ascii: "u"), UInt8(ascii: "U"):
      let value = try number(16, digits: byte == UInt8(ascii: "u") ? 4 : 8)
      guard let scalar = Unicode.Scalar(value) else { throw malformed("an escape is no character") }
      return Array(String(scalar).utf8)
    default:
      guard isPattern else { throw malformed("an escape that Go's strings do not have") }
      return [UInt8(ascii: "\\"), byte]
    }
  }

  private mutating func number(_ radix: Int, digits: Int) throws(SnapshotError) -> UInt32 {
    guard index + digits <= text.count,
      let value = UInt32(String(decoding: text[index..<index + digits], as: UTF8.self), radix: radix),
      text[index] != UInt8(ascii: "+")
    else { throw malformed("an escape lacks digits") }
    index += digits
    return value
  }

  private var next: UInt8? { index < text.count ? text[index] : nil }

  private mutating func skipSpace() {
    while let byte = next, Self.isSpace(byte) { index += 1 }
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 32 || (9...13).contains(byte) }

  private static func isFieldByte(_ byte: UInt8) -> Bool {
    (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || byte == UInt8(ascii: "_")
  }

  private func malformed(_ why: String) -> SnapshotError {
    let start = String(decoding: text.prefix(200), as: UTF8.self)
    return .invalid("filter \"\(start)\(text.count > 200 ? "…" : "")\": \(why) at byte \(index)")
  }
}
