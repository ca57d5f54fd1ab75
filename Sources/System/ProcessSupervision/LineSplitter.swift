/// Cuts bytes into lines, none longer than a limit.
struct LineSplitter: Sendable {
  let limit: Int
  private var rest: [UInt8] = []

  init(limit: Int) { self.limit = limit }

  /// The lines that are complete with these bytes, without their ends. A longer one comes in pieces.
  mutating func take(_ bytes: some Collection<UInt8>) -> [[UInt8]] {
    var lines: [[UInt8]] = []
    for byte in bytes {
      if byte == UInt8(ascii: "\n") {
        lines.append(rest)
        rest.removeAll(keepingCapacity: true)
      } else {
        rest.append(byte)
        if rest.count >= limit {
          lines.append(rest)
          rest.removeAll(keepingCapacity: true)
        }
      }
    }
    return lines
  }

  /// What came last without an end of line.
  mutating func finish() -> [UInt8]? {
    defer { rest = [] }
    return rest.isEmpty ? nil : rest
  }
}
