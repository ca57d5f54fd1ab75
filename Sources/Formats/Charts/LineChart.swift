/// Lines over a common axis, each named at its end instead of in a legend.
public struct LineChart: Sendable, Hashable {
  public struct Point: Sendable, Hashable {
    public var x: Double
    public var y: Double

    public init(_ x: Double, _ y: Double) {
      self.x = x
      self.y = y
    }
  }

  public struct Series: Sendable, Hashable {
    public var label: String
    /// In the order of x; points that are not finite are left out.
    public var points: [Point]
    /// Drawn thick, in the first colour and above the others.
    public var isEmphasised: Bool
    /// Keeps its value until the next point, as counts over time do.
    public var isStepped: Bool

    public init(_ label: String, _ points: [Point], isEmphasised: Bool = false, isStepped: Bool = false) {
      self.label = label
      self.points = points
      self.isEmphasised = isEmphasised
      self.isStepped = isStepped
    }
  }

  public var name: String
  public var title: String
  public var subtitle: String
  public var x: Axis
  public var y: Axis
  public var series: [Series]
  /// Level lines at values of `y`: targets.
  public var references: [BarChart.Reference]
  public var width: Double
  /// Of the area between the axes.
  public var plotHeight: Double

  public init(
    name: String, title: String, subtitle: String = "", x: Axis, y: Axis, series: [Series],
    references: [BarChart.Reference] = [], width: Double = 760, plotHeight: Double = 260
  ) {
    self.name = name
    self.title = title
    self.subtitle = subtitle
    self.x = x
    self.y = y
    self.series = series
    self.references = references
    self.width = width
    self.plotHeight = plotHeight
  }

  /// More points than pixels show nothing more.
  static let mostPoints = 1000

  public func image() -> SVGImage {
    var writer = SVGWriter()
    let shown = series.map { Self.thinned($0.points) }
    let hasYTitle = !y.title.isEmpty
    let top = Heading.draw(title, subtitle, width: width, into: &writer) + (hasYTitle ? 16 : 0)
    let bottom = top + plotHeight
    let yRange = y.resolved(shown.joined().map(\.y) + references.map(\.value), ticks: 5)
    let left = 24 + AxisLines.width(y, yRange) + 8
    let labelWidth = series.map { TextWidth.estimate($0.label, bold: $0.isEmphasised) }.max() ?? 0
    let right = max(left + 100, width - 24 - labelWidth - 22)
    let xValues = shown.joined().map(\.x)
    let xRange = x.range ?? Self.span(xValues)
    let (across, up) = (
      Scale(range: xRange, start: left, end: right), Scale(range: yRange, start: bottom, end: top)
    )

    if hasYTitle { writer.label(y.title, x: 24, y: top - 12, class: "ch-muted") }
    AxisLines.level(y, up, left: left, right: right, into: &writer)
    AxisLines.vertical(x, across, top: top, bottom: bottom, grid: false, into: &writer)
    let styles = Self.styles(series)
    // The emphasised ones last, so that they lie above.
    for index in series.indices.sorted(by: { !series[$0].isEmphasised && series[$1].isEmphasised }) {
      draw(series[index], shown[index], "ch-s\(styles[index])", across, up, into: &writer)
    }
    // Above the lines, so that they can be read.
    for reference in references where reference.value.isFinite {
      let level = up(reference.value)
      writer.line(left, level, right, level, class: "ch-reference")
      writer.label(reference.label, x: left + 6, y: level - 5, class: "ch-small ch-halo")
    }
    labels(shown, styles, across, up, right: right, top: top, bottom: bottom, into: &writer)
    return SVGImage(name: name, title: title, width: width, height: bottom + 52, content: writer.text)
  }

  private static func span(_ values: [Double]) -> ClosedRange<Double> {
    guard let low = values.min(), let high = values.max(), low < high else { return 0...1 }
    return low...high
  }

  private static func thinned(_ points: [Point]) -> [Point] {
    let finite = points.filter { $0.x.isFinite && $0.y.isFinite }
    guard finite.count > mostPoints else { return finite }
    let every = (finite.count + mostPoints - 1) / mostPoints
    return finite.indices.filter { $0 % every == 0 || $0 == finite.count - 1 }.map { finite[$0] }
  }

  /// The style of each series: the first is kept for those that are emphasised.
  private static func styles(_ series: [Series]) -> [Int] {
    var next = 0
    return series.map { entry in
      if entry.isEmphasised { return 0 }
      next += 1
      return 1 + (next - 1) % (ChartStyle.seriesCount - 1)
    }
  }

  private func draw(
    _ series: Series, _ points: [Point], _ style: String, _ across: Scale, _ up: Scale, into writer: inout SVGWriter
  ) {
    guard let first = points.first else { return }
    var path = "M\(SVGWriter.number(across(first.x))) \(SVGWriter.number(up(first.y)))"
    for point in points.dropFirst() {
      let (x, y) = (SVGWriter.number(across(point.x)), SVGWriter.number(up(point.y)))
      path += series.isStepped ? "H\(x)V\(y)" : "L\(x) \(y)"
    }
    writer.begin("path", ["class": "ch-line \(style)\(series.isEmphasised ? " ch-bold" : "")", "d": path])
    writer.element("title", text: series.label)
    writer.end()
  }

  private static func stroke(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double) -> String {
    let points = [x1, y1, x2, y2].map(SVGWriter.number)
    return "M\(points[0]) \(points[1])L\(points[2]) \(points[3])"
  }

  private func labels(
    _ shown: [[Point]], _ styles: [Int], _ across: Scale, _ up: Scale, right: Double, top: Double, bottom: Double,
    into writer: inout SVGWriter
  ) {
    let named = series.indices.filter { !shown[$0].isEmpty }
    let ends = named.map { up(shown[$0].last?.y ?? 0) }
    let places = LabelSpread.positions(ends, gap: 15, in: (top + 4)...(bottom - 4))
    for (rank, index) in named.enumerated() {
      let from = across(shown[index].last?.x ?? 0)
      writer.begin(
        "path",
        [
          "class": "ch-line ch-s\(styles[index])\(series[index].isEmphasised ? " ch-bold" : "")",
          "d": Self.stroke(from, ends[rank], right + 16, places[rank]),
          "stroke-opacity": "0.45",
        ])
      writer.end()
      writer.label(
        series[index].label, x: right + 20, y: places[rank] + 4,
        class: "ch-f\(styles[index])\(series[index].isEmphasised ? " ch-strong" : "")")
    }
  }
}
