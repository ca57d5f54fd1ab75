/// The title above a chart and the line that explains it.
enum Heading {
  /// - Returns: the first free vertical position below.
  static func draw(_ title: String, _ subtitle: String, width: Double, into writer: inout SVGWriter) -> Double {
    writer.label(title, x: 24, y: 34, class: "ch-title")
    var bottom = 34.0
    for line in lines(subtitle, width: width - 48) {
      bottom += bottom == 34 ? 20 : 16
      writer.label(line, x: 24, y: bottom, class: "ch-muted")
    }
    return bottom + 18
  }

  /// Words broken into lines that fit.
  static func lines(_ text: String, width: Double) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
      let longer = line.isEmpty ? String(word) : "\(line) \(word)"
      if !line.isEmpty, TextWidth.estimate(longer) > width {
        lines.append(line)
        line = String(word)
      } else {
        line = longer
      }
    }
    return line.isEmpty ? lines : lines + [line]
  }
}
