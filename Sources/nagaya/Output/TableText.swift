/// Lines in columns, three spaces apart, as kubectl aligns them.
struct TableText {
  private var widths: [Int] = []

  /// Cells as lines. Widths only grow, so lines that follow stay under the same head.
  mutating func lines(_ rows: [[String]]) -> [String] {
    for row in rows {
      for (index, cell) in row.enumerated() {
        let width = Self.plain(cell).count
        if index < widths.count { widths[index] = max(widths[index], width) } else { widths.append(width) }
      }
    }
    return rows.map { row in
      var line = ""
      for (index, cell) in row.enumerated() {
        let text = Self.plain(cell)
        line += index == row.count - 1 ? text : text.padding(to: widths[index] + 3)
      }
      while line.last == " " { line.removeLast() }
      return line
    }
  }

  static func text(_ rows: [[String]]) -> String {
    var table = TableText()
    return table.lines(rows).map { $0 + "\n" }.joined()
  }

  /// One line, no control characters: what others put into objects must not steer the terminal.
  static func plain(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: { $0.value < 0x20 || (0x7F..<0xA0).contains($0.value) }) else {
      return text
    }
    return String(
      String.UnicodeScalarView(
        text.unicodeScalars.map { $0.value < 0x20 || (0x7F..<0xA0).contains($0.value) ? " " : $0 }))
  }
}
