import Testing

@testable import Charts

@Suite struct DrawingTests {
  @Test(arguments: [
    "plain", "a < b && \"c\" > 'd'", "</text><script>alert(1)</script>", "\u{0}\u{1B}[31m\u{FFFE}", "", "名前 é 🏠",
    "]]>", String(repeating: "long ", count: 200),
  ])
  func `Any words make well-formed XML and stay words`(label: String) {
    for image in samples(label: label, values: [0.1, 0.5, 0.25]) {
      let drawing = Drawing(image.document)
      #expect(drawing.isWellFormed, "\(image.name)")
      #expect(drawing.all("script").isEmpty)
      #expect(Drawing(image.inline).isWellFormed)
    }
  }

  static let numbers: [[Double]] = [
    [], [0], [0, 0, 0], [-5, 5], [Double.nan, Double.infinity, -Double.infinity], [1e308, -1e308], [1e-300],
    [Double](repeating: 1, count: 300),
  ]

  @Test(arguments: numbers)
  func `Any numbers make well-formed XML without numbers that are none`(values: [Double]) {
    for image in samples(label: "x", values: values) {
      let drawing = Drawing(image.document)
      #expect(drawing.isWellFormed, "\(image.name)")
      for element in drawing.elements {
        for key in ["x", "y", "x1", "x2", "y1", "y2", "width", "height", "rx"] {
          guard let text = element.attributes[key], text != "100%" else { continue }
          #expect(Double(text)?.isFinite == true, "\(image.name) \(element.name) \(key)=\(text)")
        }
        #expect(element.attributes["d"]?.contains("nan") != true)
      }
      #expect(image.height > 0 && image.height < 20_000)
    }
  }

  @Test func `The same numbers make the same bytes`() {
    let first = samples(label: "x", values: [3, 1, 2]).map(\.document)
    #expect(first == samples(label: "x", values: [3, 1, 2]).map(\.document))
  }

  @Test func `Bars are as long as their values, in one scale, with whiskers and words`() throws {
    let chart = BarChart(
      name: "spare", title: "Spare", axis: Axis("spare", .share),
      bars: [
        .init("a", value: 0.1, interval: 0.08...0.12), .init("b", value: 0.4, isEmphasised: true),
        .init("c", value: nil, note: "more than 80 %"),
      ], references: [.init(0.2, label: "bound")])
    let drawing = Drawing(chart.image().document)
    let quiet = try #require(drawing.all("rect", class: "ch-quiet").first)
    let strong = try #require(drawing.all("rect", class: "ch-f0").first)
    let lengths = [quiet, strong].compactMap { Double($0.attributes["width"] ?? "") }
    #expect(abs(lengths[1] / lengths[0] - 4) < 0.01)
    #expect(drawing.all("line", class: "ch-whisker").count == 3)
    #expect(drawing.all("line", class: "ch-reference").count == 1)
    for words in ["10 %", "40 %", "more than 80 %", "bound", "Spare"] { #expect(drawing.words.contains(words)) }
  }

  @Test func `Labels of lines keep their distance and the lines their order`() throws {
    let series = (0..<13).map { index in
      LineChart.Series("s\(index)", [.init(0, 0), .init(1, 1 + Double(index) / 1000)], isEmphasised: index == 4)
    }
    let drawing = Drawing(
      LineChart(name: "l", title: "t", x: Axis("", .seconds), y: Axis("", .number), series: series).image().document)
    let places = try series.map { entry in
      try #require(drawing.all("text").first { $0.text == entry.label }.flatMap { Double($0.attributes["y"] ?? "") })
    }
    for (lower, upper) in zip(places.dropFirst(), places) { #expect(upper - lower >= 14.9) }
    // Thirteen lines in as many styles.
    #expect(Set(drawing.all("path", class: "ch-line").compactMap { $0.attributes["class"] }).count == 13)
  }

  @Test func `A heat map merges equal neighbours and shows the ends of its scale`() {
    let map = HeatMap(
      name: "m", title: "t", x: Axis("", .seconds, range: 0...1), rowsName: "nodes", low: "empty", high: "full",
      panels: [.init("p", rows: [[0, 0, 0, 1], [1, 1, 1, 1]])])
    let drawing = Drawing(map.image().document)
    let cells = drawing.all("path").filter { $0.attributes["fill"] != nil }
    #expect(cells.compactMap { $0.attributes["fill"] } == ["#00224e", "#fee838"])
    // Three empty cells are one box; the full one and the full row are two.
    #expect(cells.compactMap { $0.attributes["d"]?.split(separator: "z").count } == [1, 2])
  }

  @Test func `A heat map of many nodes and moments stays small`() {
    let rows = (0..<2000).map { row in (0..<3000).map { Double(($0 + row) % 100) / 100 } }
    let shrunk = HeatMap.shrunk(rows)
    #expect(shrunk.count == HeatMap.mostRows)
    #expect(shrunk.allSatisfy { $0.count == HeatMap.mostColumns })
  }

  @Test func `A page can hold inline drawings: they bring no style of their own`() {
    for image in samples(label: "x", values: [1]) {
      #expect(!image.inline.contains("<style"))
      #expect(image.document.contains("<style"))
    }
  }
}
