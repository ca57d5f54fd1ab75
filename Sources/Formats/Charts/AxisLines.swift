/// Grid lines, ticks and their words.
enum AxisLines {
  /// An axis along the bottom, its grid upright.
  static func vertical(
    _ axis: Axis, _ scale: Scale, top: Double, bottom: Double, title: Bool = true, grid: Bool = true,
    into writer: inout SVGWriter
  ) {
    let ticks = spaced(Ticks.positions(in: scale.range, about: 6, format: axis.format), axis.format, scale)
    for tick in ticks {
      let x = scale(tick)
      if grid { writer.line(x, top, x, bottom, class: "ch-grid") }
      writer.label(axis.format.text(tick), x: x, y: bottom + 16, anchor: "middle", class: "ch-small")
    }
    writer.line(scale.start, bottom, scale.end, bottom, class: "ch-axis")
    if title, !axis.title.isEmpty {
      writer.label(axis.title, x: (scale.start + scale.end) / 2, y: bottom + 36, anchor: "middle", class: "ch-muted")
    }
  }

  /// An axis along the left, its grid level.
  static func level(
    _ axis: Axis, _ scale: Scale, left: Double, right: Double, words: Bool = true, about count: Int = 5,
    into writer: inout SVGWriter
  ) {
    for tick in Ticks.positions(in: scale.range, about: count, format: axis.format) {
      let y = scale(tick)
      writer.line(left, y, right, y, class: tick == 0 ? "ch-axis" : "ch-grid")
      if words { writer.label(axis.format.text(tick), x: left - 8, y: y + 4, anchor: "end", class: "ch-small") }
    }
  }

  /// How wide the words of an axis on the left are.
  static func width(_ axis: Axis, _ range: ClosedRange<Double>, about count: Int = 5) -> Double {
    Ticks.positions(in: range, about: count, format: axis.format).map {
      TextWidth.estimate(axis.format.text($0), size: 11)
    }.max() ?? 0
  }

  /// Every n-th tick, so that no words touch.
  private static func spaced(_ ticks: [Double], _ format: AxisFormat, _ scale: Scale) -> [Double] {
    let widest = ticks.map { TextWidth.estimate(format.text($0), size: 11) }.max() ?? 0
    for every in 1...max(1, ticks.count) {
      let kept = stride(from: 0, to: ticks.count, by: every).map { ticks[$0] }
      guard kept.count > 1 else { return kept }
      if abs(scale(kept[1]) - scale(kept[0])) >= widest + 10 { return kept }
    }
    return ticks
  }
}
