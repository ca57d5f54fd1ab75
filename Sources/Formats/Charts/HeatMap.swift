/// Shares from 0 to 1 as colours: a row for each thing, a column for each moment, in panels side by side.
public struct HeatMap: Sendable, Hashable {
  public struct Panel: Sendable, Hashable {
    public var label: String
    public var note: String
    /// `rows[thing][moment]`; what is not finite is left blank.
    public var rows: [[Double]]
    public var isEmphasised: Bool

    public init(_ label: String, note: String = "", rows: [[Double]], isEmphasised: Bool = false) {
      self.label = label
      self.note = note
      self.rows = rows
      self.isEmphasised = isEmphasised
    }
  }

  public var name: String
  public var title: String
  public var subtitle: String
  /// Its range spans the columns.
  public var x: Axis
  /// What a row is, in the plural: `nodes`.
  public var rowsName: String
  /// Words at the ends of the colour scale.
  public var low: String
  public var high: String
  public var panels: [Panel]
  public var width: Double

  public init(
    name: String, title: String, subtitle: String = "", x: Axis, rowsName: String, low: String, high: String,
    panels: [Panel], width: Double = 760
  ) {
    self.name = name
    self.title = title
    self.subtitle = subtitle
    self.x = x
    self.rowsName = rowsName
    self.low = low
    self.high = high
    self.panels = panels
    self.width = width
  }

  /// Rows that one panel shows; more are averaged with their neighbours.
  static let mostRows = 80
  /// Columns likewise.
  static let mostColumns = 200

  public func image() -> SVGImage {
    var writer = SVGWriter()
    let headed = Heading.draw(title, subtitle, width: width, into: &writer)
    legend(y: headed, into: &writer)
    let shown = panels.map { Self.shrunk($0.rows) }
    let rows = shown.map(\.count).max() ?? 0
    let cell = rows <= 30 ? 7.0 : max(2.5, 210 / Double(rows))
    let plotHeight = max(40, cell * Double(rows))
    let grid = PanelGrid(
      count: panels.count, width: width, left: 0, top: headed + 62, rowHeight: plotHeight + 62, minimumPanel: 210)
    for (index, panel) in panels.enumerated() {
      draw(panel, shown[index], at: grid.origin(index), grid, plotHeight, into: &writer)
    }
    if !x.title.isEmpty {
      writer.label(x.title, x: width / 2, y: grid.bottom - 10, anchor: "middle", class: "ch-muted")
    }
    return SVGImage(name: name, title: title, width: width, height: grid.bottom + 10, content: writer.text)
  }

  private func draw(
    _ panel: Panel, _ rows: [[Double]], at origin: (x: Double, y: Double), _ grid: PanelGrid, _ height: Double,
    into writer: inout SVGWriter
  ) {
    let note = panel.note.isEmpty ? "\(panel.rows.count) \(rowsName)" : panel.note
    PanelTitle.draw(
      panel.label, note, isEmphasised: panel.isEmphasised, x: origin.x, y: origin.y - 8, width: grid.width,
      into: &writer)
    writer.box(x: origin.x, y: origin.y, width: grid.width, height: height, class: "ch-track")
    for (step, path) in Self.paths(rows, at: origin, width: grid.width, height: height).enumerated() where !path.isEmpty
    {
      writer.element("path", ["fill": ChartStyle.mapColour(step: step), "shape-rendering": "crispEdges", "d": path])
    }
    let across = Scale(range: x.range ?? 0...1, start: origin.x, end: origin.x + grid.width)
    AxisLines.vertical(x, across, top: origin.y, bottom: origin.y + height, title: false, grid: false, into: &writer)
  }

  /// One path for each colour; a stretch of one colour in a row is one box.
  private static func paths(
    _ rows: [[Double]], at origin: (x: Double, y: Double), width: Double, height: Double
  ) -> [String] {
    var paths = [String](repeating: "", count: ChartStyle.mapSteps)
    let rowHeight = height / Double(max(1, rows.count))
    for (index, row) in rows.enumerated() where !row.isEmpty {
      let column = width / Double(row.count)
      let steps = row.map { $0.isFinite ? ChartStyle.mapStep($0) : -1 }
      var start = 0
      while start < steps.count {
        var end = start + 1
        while end < steps.count, steps[end] == steps[start] { end += 1 }
        if steps[start] >= 0 {
          let (x, y) = (origin.x + column * Double(start), origin.y + rowHeight * Double(index))
          let (right, bottom) = (SVGWriter.number(origin.x + column * Double(end)), SVGWriter.number(y + rowHeight))
          paths[steps[start]] +=
            "M\(SVGWriter.number(x)) \(SVGWriter.number(y))H\(right)V\(bottom)H\(SVGWriter.number(x))z"
        }
        start = end
      }
    }
    return paths
  }

  private func legend(y: Double, into writer: inout SVGWriter) {
    writer.label(low, x: 24, y: y + 10, class: "ch-small")
    let start = 24 + TextWidth.estimate(low, size: 11) + 8
    let width = 150 / Double(ChartStyle.mapSteps)
    for step in 0..<ChartStyle.mapSteps {
      writer.element(
        "rect",
        [
          "x": SVGWriter.number(start + Double(step) * width), "y": SVGWriter.number(y),
          "width": SVGWriter.number(width), "height": "12", "fill": ChartStyle.mapColour(step: step),
          "shape-rendering": "crispEdges",
        ])
    }
    writer.label(high, x: start + 158, y: y + 10, class: "ch-small")
  }

  /// Averages neighbours until rows and columns are few enough.
  static func shrunk(_ rows: [[Double]]) -> [[Double]] {
    groups(rows.count, atMost: mostRows).map { group in
      let columns = rows[group].map(\.count).max() ?? 0
      return groups(columns, atMost: mostColumns).map { span in
        var (sum, count) = (0.0, 0)
        for row in rows[group] {
          for value in row[min(span.lowerBound, row.count)..<min(span.upperBound, row.count)] where value.isFinite {
            sum += value
            count += 1
          }
        }
        return count == 0 ? .nan : sum / Double(count)
      }
    }
  }

  private static func groups(_ count: Int, atMost most: Int) -> [Range<Int>] {
    let parts = min(count, most)
    return (0..<parts).map { (count * $0 / parts)..<(count * ($0 + 1) / parts) }
  }
}
