/// Writes well-formed XML elements; every text and attribute goes through the escaping here.
struct SVGWriter {
  private(set) var text = ""
  private var open: [String] = []

  typealias Attributes = KeyValuePairs<String, String>

  /// Begins an element that `end()` closes.
  mutating func begin(_ name: String, _ attributes: Attributes = [:]) {
    text += "<\(name)\(Self.attributes(attributes))>"
    open.append(name)
  }

  mutating func end() {
    guard let name = open.popLast() else { return }
    text += "</\(name)>\n"
  }

  /// An element without content.
  mutating func element(_ name: String, _ attributes: Attributes) {
    text += "<\(name)\(Self.attributes(attributes))/>\n"
  }

  /// An element that holds only text.
  mutating func element(_ name: String, _ attributes: Attributes = [:], text content: String) {
    text += "<\(name)\(Self.attributes(attributes))>\(Self.escaped(content))</\(name)>\n"
  }

  /// A word or line at a point; `anchor` is `start`, `middle` or `end`.
  mutating func label(
    _ content: String, x: Double, y: Double, anchor: String = "start", class name: String = "ch-text"
  ) {
    element(
      "text", ["class": name, "x": Self.number(x), "y": Self.number(y), "text-anchor": anchor], text: content)
  }

  mutating func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, class name: String) {
    element(
      "line",
      [
        "class": name, "x1": Self.number(x1), "y1": Self.number(y1), "x2": Self.number(x2), "y2": Self.number(y2),
      ])
  }

  /// A filled box; a negative extent is drawn as none.
  mutating func box(
    x: Double, y: Double, width: Double, height: Double, class name: String, radius: Double = 0, tip: String? = nil
  ) {
    begin(
      "rect",
      [
        "class": name, "x": Self.number(x), "y": Self.number(y), "width": Self.number(max(0, width)),
        "height": Self.number(max(0, height)), "rx": Self.number(radius),
      ])
    if let tip { element("title", text: tip) }
    end()
  }

  private static func attributes(_ attributes: Attributes) -> String {
    attributes.reduce(into: "") { text, pair in text += " \(pair.key)=\"\(escaped(pair.value))\"" }
  }

  /// Text that is safe as content and as a quoted attribute. Characters that XML 1.0 (section 2.2) forbids become U+FFFD.
  static func escaped(_ text: String) -> String {
    var result = ""
    result.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      case "\t", "\n", "\r": result += " "
      default:
        let isAllowed =
          scalar.value >= 0x20 && !(0x7F...0x9F).contains(scalar.value) && scalar.value & 0xFFFE != 0xFFFE
        result.unicodeScalars.append(isAllowed ? scalar : "\u{FFFD}")
      }
    }
    return result
  }

  /// A coordinate with at most two decimals and no exponent; what is not finite becomes 0.
  static func number(_ value: Double) -> String {
    guard value.isFinite else { return "0" }
    let hundredths = Int64(max(-1e12, min(1e12, value * 100)).rounded())
    let magnitude = hundredths.magnitude
    var text = hundredths < 0 ? "-" : ""
    text += String(magnitude / 100)
    let rest = magnitude % 100
    if rest == 0 { return text }
    return text + (rest % 10 == 0 ? ".\(rest / 10)" : rest < 10 ? ".0\(rest)" : ".\(rest)")
  }
}
