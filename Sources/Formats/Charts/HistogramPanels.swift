/// Histograms with the same bins side by side, so that shapes can be compared.
public struct HistogramPanels: Sendable, Hashable {
  public struct Panel: Sendable, Hashable {
    public var label: String
    public var note: String
    /// How many fall into each bin.
    public var counts: [Double]
    public var isEmphasised: Bool

    public init(_ label: String, note: String = "", counts: [Double], isEmphasised: Bool = false) {
      self.label = label
      self.note = note
      self.counts = counts
      self.isEmphasised = isEmphasised
    }
  }

  public var name: String
  public var title: String
  public var subtitle: String
  /// What is counted by; its range covers all bins, which are equally wide.
  public var x: Axis
  public var y: Axis
  public var panels: [Panel]
  /// An upright line in every panel: the size of a large request.
  public var reference: BarChart.Reference?
  public var width: Double

  public init(
    name: String, title: String, subtitle: String = "", x: Axis, y: Axis, panels: [Panel],
    reference: BarChart.Reference? = nil, width: Double = 760
  ) {
    self.name = name
    self.title = title
    self.subtitle = subtitle
    self.x = x
    self.y = y
    self.panels = panels
    self.reference = reference
    self.width = width
  }

  private static let plotHeight = 120.0

  public func image() -> SVGImage {
    var writer = SVGWriter()
    let yRange = y.resolved(panels.flatMap(\.counts), ticks: 3)
    let hasYTitle = !y.title.isEmpty
    let top = Heading.draw(title, subtitle, width: width, into: &writer) + 22 + (hasYTitle ? 14 : 0)
    if hasYTitle { writer.label("↑ \(y.title)", x: 24, y: top - 30, class: "ch-small") }
    let grid = PanelGrid(
      count: panels.count, width: width, left: AxisLines.width(y, yRange, about: 3) + 10, top: top,
      rowHeight: Self.plotHeight + 62)
    for (index, panel) in panels.enumerated() {
      draw(panel, at: grid.origin(index), grid, yRange, into: &writer)
    }
    if !x.title.isEmpty {
      writer.label(x.title, x: width / 2, y: grid.bottom - 10, anchor: "middle", class: "ch-muted")
    }
    return SVGImage(name: name, title: title, width: width, height: grid.bottom + 10, content: writer.text)
  }

  private func draw(
    _ panel: Panel, at origin: (x: Double, y: Double), _ grid: PanelGrid, _ yRange: ClosedRange<Double>,
    into writer: inout SVGWriter
  ) {
    let bottom = origin.y + Self.plotHeight
    let across = Scale(range: x.range ?? 0...1, start: origin.x, end: origin.x + grid.width)
    let up = Scale(range: yRange, start: bottom, end: origin.y)
    PanelTitle.draw(
      panel.label, panel.note, isEmphasised: panel.isEmphasised, x: origin.x, y: origin.y - 8, width: grid.width,
      into: &writer)
    AxisLines.level(y, up, left: origin.x, right: origin.x + grid.width, about: 3, into: &writer)
    AxisLines.vertical(x, across, top: origin.y, bottom: bottom, title: false, grid: false, into: &writer)
    let bin = grid.width / Double(max(1, panel.counts.count))
    for (index, count) in panel.counts.enumerated() where count.isFinite && count > 0 {
      let level = up(count)
      writer.box(
        x: origin.x + bin * Double(index) + min(1, bin / 6), y: level, width: bin - min(2, bin / 3),
        height: bottom - level, class: panel.isEmphasised ? "ch-f0" : "ch-quiet")
    }
    if let reference, reference.value.isFinite {
      let position = across(reference.value)
      writer.line(position, origin.y, position, bottom, class: "ch-reference")
      let isNearEnd = position + TextWidth.estimate(reference.label, size: 11) + 8 > origin.x + grid.width
      writer.label(
        reference.label, x: position + (isNearEnd ? -5 : 5), y: origin.y + 10, anchor: isNearEnd ? "end" : "start",
        class: "ch-small ch-halo")
    }
  }
}

/// The name of a panel, and a remark in the same line if it fits.
enum PanelTitle {
  static func draw(
    _ label: String, _ note: String, isEmphasised: Bool, x: Double, y: Double, width: Double,
    into writer: inout SVGWriter
  ) {
    writer.label(label, x: x, y: y, class: isEmphasised ? "ch-panel ch-f0" : "ch-panel")
    let used = TextWidth.estimate(label, bold: true) + 10
    if used + TextWidth.estimate(note, size: 11) <= width {
      writer.label(note, x: x + width, y: y, anchor: "end", class: "ch-small")
    }
  }
}
