import Foundation
import FoundationXML

@testable import Charts

/// What a real XML reader finds in a drawing.
final class Drawing: NSObject, XMLParserDelegate {
  struct Element {
    var name: String
    var attributes: [String: String]
    var text = ""
  }

  private(set) var elements: [Element] = []
  private(set) var isWellFormed = false
  private var open: [Int] = []

  init(_ text: String) {
    super.init()
    let parser = XMLParser(data: Data(text.utf8))
    parser.delegate = self
    isWellFormed = parser.parse()
  }

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
    attributes: [String: String]
  ) {
    open.append(elements.count)
    elements.append(Element(name: name, attributes: attributes))
  }

  func parser(_ parser: XMLParser, foundCharacters text: String) {
    if let last = open.last { elements[last].text += text }
  }

  func parser(_ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?) {
    open.removeLast()
  }

  func all(_ name: String, class kind: String? = nil) -> [Element] {
    elements.filter { element in
      element.name == name
        && (kind.map { (element.attributes["class"] ?? "").split(separator: " ").contains(Substring($0)) } ?? true)
    }
  }

  var words: [String] { all("text").map(\.text) }
}

/// One of each kind, with words and numbers of the caller's.
func samples(label: String, values: [Double]) -> [SVGImage] {
  let rows = [values, values.reversed()]
  return [
    BarChart(
      name: "bars", title: label, subtitle: label, axis: Axis(label, .share),
      bars: values.map { .init(label, value: $0, interval: $0.isFinite ? $0...max($0, $0 + 1) : nil) },
      references: values.map { .init($0, label: label) }
    ).image(),
    LineChart(
      name: "lines", title: label, x: Axis(label, .seconds), y: Axis(label, .number),
      series: [
        .init(label, values.enumerated().map { .init(Double($0.offset), $0.element) }, isEmphasised: true),
        .init(label, values.enumerated().map { .init($0.element, Double($0.offset)) }, isStepped: true),
        .init(label, []),
      ], references: values.map { .init($0, label: label) }
    ).image(),
    HistogramPanels(
      name: "histogram", title: label, x: Axis(label, .bytes, range: 0...1024), y: Axis(label, .count),
      panels: [.init(label, note: label, counts: values), .init(label, counts: [])], reference: .init(512, label: label)
    ).image(),
    HeatMap(
      name: "map", title: label, x: Axis(label, .seconds, range: 0...10), rowsName: label, low: label, high: label,
      panels: [.init(label, rows: rows), .init(label, rows: [])]
    ).image(),
  ]
}
