extension JSONValue {
  /// Bytes of the document's canonical text, without writing it.
  ///
  /// Counting ends at the limit, so that a tree whose parts are shared (`copy`, aliases) costs no more than that.
  /// - Parameter limit: where counting ends; the answer is then some number of at least the limit.
  public func encodedCount(upTo limit: Int = .max) -> Int {
    var count = 0
    addEncodedCount(to: &count, limit)
    return count
  }

  private func addEncodedCount(to count: inout Int, _ limit: Int) {
    guard count < limit else { return }
    switch self {
    case .null: count += 4
    case .bool(let flag): count += flag ? 4 : 5
    case .integer, .number: count += encoded().count
    case .string(let text): count += Self.encodedCount(of: text)
    case .array(let elements):
      count += 2 + Swift.max(0, elements.count - 1)
      for element in elements {
        guard count < limit else { return }
        element.addEncodedCount(to: &count, limit)
      }
    case .object(let members):
      count += 2 + Swift.max(0, members.count - 1)
      for (key, member) in members {
        guard count < limit else { return }
        count += Self.encodedCount(of: key) + 1
        member.addEncodedCount(to: &count, limit)
      }
    }
  }

  private static func encodedCount(of text: String) -> Int {
    text.utf8.reduce(2) { count, byte in
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"), 0x0A, 0x0D, 0x09: count + 2
      case 0..<0x20: count + 6
      default: count + 1
      }
    }
  }
}
