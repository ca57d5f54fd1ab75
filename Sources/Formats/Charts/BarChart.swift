/// Horizontal bars, one for each thing compared, with intervals and the value in words.
public struct BarChart: Sendable, Hashable {
  public struct Bar: Sendable, Hashable {
    public var label: String
    /// `nil`: there is no figure; `note` says why.
    public var value: Double?
    /// The ends of the interval, drawn as a whisker.
    public var interval: ClosedRange<Double>?
    /// Drawn in the first colour instead of the quiet one.
    public var isEmphasised: Bool
    /// Words behind the value, or in its place.
    public var note: String

    public init(
      _ label: String, value: Double?, interval: ClosedRange<Double>? = nil, isEmphasised: Bool = false,
      note: String = ""
    ) {
      self.label = label
      self.value = value
      self.interval = interval
      self.isEmphasised = isEmphasised
      self.note = note
    }
  }

  /// A vertical line at a value: a bound or a target.
  public struct Reference: Sendable, Hashable {
    public var value: Double
    public var label: String

    public init(_ value: Double, label: String) {
      self.value = value
      self.label = label
    }
  }

  public var name: String
  public var title: String
  public var subtitle: String
  public var axis: Axis
  public var bars: [Bar]
  public var references: [Reference]
  public var width: Double

  public init(
    name: String, title: String, subtitle: String = "", axis: Axis, bars: [Bar], references: [Reference] = [],
    width: Double = 760
  ) {
    self.name = name
    self.title = title
    self.subtitle = subtitle
    self.axis = axis
    self.bars = bars
    self.references = references
    self.width = width
  }

  private static let rowHeight = 28.0
  private static let barHeight = 16.0

  public func image() -> SVGImage {
    var writer = SVGWriter()
    let top = Heading.draw(title, subtitle, width: width, into: &writer) + (references.isEmpty ? 4 : 20)
    let left = 24 + (bars.map { TextWidth.estimate($0.label, bold: $0.isEmphasised) }.max() ?? 0) + 10
    let words = bars.map(valueText)
    let right = width - 24 - (words.map { TextWidth.estimate($0, bold: true) }.max() ?? 0) - 10
    let bottom = top + Self.rowHeight * Double(bars.count)
    let values: [Double] = bars.flatMap { bar in
      [bar.value, bar.interval?.lowerBound, bar.interval?.upperBound].compactMap { $0 }
    }
    let range = axis.resolved(values + references.map(\.value), ticks: 6)
    let scale = Scale(range: range, start: left, end: max(left + 60, right))

    AxisLines.vertical(axis, scale, top: top, bottom: bottom, into: &writer)
    for (index, bar) in bars.enumerated() {
      draw(bar, words[index], middle: top + Self.rowHeight * (Double(index) + 0.5), left, scale, into: &writer)
    }
    for reference in references where reference.value.isFinite {
      let x = scale(reference.value)
      writer.line(x, top - 4, x, bottom, class: "ch-reference")
      let isNearEnd = x + TextWidth.estimate(reference.label) > width - 24
      writer.label(
        reference.label, x: isNearEnd ? x + 2 : x, y: top - 8, anchor: isNearEnd ? "end" : "middle", class: "ch-small")
    }
    return SVGImage(name: name, title: title, width: width, height: bottom + 52, content: writer.text)
  }

  private func valueText(_ bar: Bar) -> String {
    guard let value = bar.value, value.isFinite else { return bar.note.isEmpty ? "no figure" : bar.note }
    return axis.format.text(value) + (bar.note.isEmpty ? "" : " \(bar.note)")
  }

  private func draw(
    _ bar: Bar, _ words: String, middle: Double, _ left: Double, _ scale: Scale, into writer: inout SVGWriter
  ) {
    let kind = bar.isEmphasised ? "ch-strong" : "ch-text"
    writer.label(bar.label, x: left - 10, y: middle + 4, anchor: "end", class: kind)
    let origin = scale(0)
    var end = origin
    if let value = bar.value, value.isFinite {
      let x = scale(value)
      writer.box(
        x: min(origin, x), y: middle - Self.barHeight / 2, width: abs(x - origin), height: Self.barHeight,
        class: bar.isEmphasised ? "ch-f0" : "ch-quiet", radius: 2, tip: "\(bar.label): \(words)")
      end = max(end, x)
    }
    if let interval = bar.interval, interval.upperBound > interval.lowerBound {
      let (low, high) = (scale(interval.lowerBound), scale(interval.upperBound))
      writer.line(low, middle, high, middle, class: "ch-whisker")
      for x in [low, high] { writer.line(x, middle - 4, x, middle + 4, class: "ch-whisker") }
      end = max(end, high)
    }
    writer.label(words, x: end + 8, y: middle + 4, class: "ch-halo " + (bar.value == nil ? "ch-muted" : kind))
  }
}
