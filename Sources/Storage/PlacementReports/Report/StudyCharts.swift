import Charts
import Placement
import PlacementSimulator

/// The plots of a study.
public enum StudyCharts {
  /// In the order in which a page shows them.
  public static func images(_ result: StudyResult) -> [SVGImage] {
    [needed(result), pending(result), slots(result), freeSpace(result), nodes(result)].compactMap { $0 }
  }

  /// What one seed's plot shows.
  private static func summary(_ result: StudyResult, _ more: String) -> String {
    "\(result.study.setting(withLoad: true)), seed \(result.study.seeds.first ?? 1). \(more)"
  }

  /// From the start to the last sample.
  private static func time(_ result: StudyResult) -> Axis {
    let end = result.outcomes.compactMap { $0.runs.first?.samples.last?.time }.max() ?? 0
    return Axis("time since the start", .seconds, range: end > 0 ? 0...end : nil)
  }

  /// What each policy needs (or, without a search, what it leaves Pending), with 95 % intervals.
  static func needed(_ result: StudyResult) -> SVGImage? {
    let criterion = result.criterion
    guard !result.outcomes.isEmpty else { return nil }
    let title: String
    var limit = Percent.text(result.study.pendingLimit)
    if result.hasExpansions {
      limit += " and failed expansions below \(Percent.text(result.study.failedExpansionLimit))"
    }
    if result.hasSpares {
      title = "Spare capacity needed to keep Pending below \(limit)"
    } else if result.hasNodes {
      title = "Nodes needed to keep Pending below \(limit)"
    } else {
      title = "Requests that stay Pending"
    }
    let bars = (result.outcomes + (result.freeMoves.map { [$0] } ?? [])).map { outcome in
      let values = criterion.values(outcome)
      let estimate = values.contains { $0 == nil } ? nil : Estimate(values.compactMap { $0 })
      let interval: ClosedRange<Double>? = estimate.flatMap { estimate in
        guard estimate.count > 1 else { return nil }
        let most = criterion.format == .share ? 1 : Double.infinity
        return max(0, estimate.interval.lowerBound)...max(0, min(most, estimate.interval.upperBound))
      }
      return BarChart.Bar(
        outcome.label, value: estimate?.mean, interval: interval,
        isEmphasised: outcome.label == StandardPolicy.standard.rawValue,
        note: estimate == nil ? "more than 80 %" : outcome.label == result.freeMoves?.label ? "(reference)" : "")
    }
    var references: [BarChart.Reference] = []
    if result.hasSpares, let bound = result.bounds.spare, bound.mean > 0 {
      references.append(.init(bound.mean, label: "bound: no policy can need less than \(Percent.text(bound.mean))"))
    }
    if result.hasNodes, let bound = result.bounds.nodes {
      references.append(.init(Double(bound), label: "bound: no policy can need less than \(bound)"))
    }
    let seeds = result.study.seeds.count
    let more = seeds > 1 ? "Mean and 95 % interval of \(seeds) seeds; less is better." : "One seed; less is better."
    return BarChart(
      name: "\(result.study.name)-needed", title: title,
      subtitle: "\(result.study.setting(withLoad: !result.hasSpares, withCount: !result.hasNodes)). \(more)",
      axis: Axis(
        result.hasSpares ? "spare share of the capacity" : result.hasNodes ? "nodes" : "share of requests",
        criterion.format == .share ? .share : .count), bars: bars, references: references
    ).image()
  }

  static func pending(_ result: StudyResult) -> SVGImage? {
    let end = result.outcomes.flatMap(\.runs).compactMap { $0.samples.last?.time }.max() ?? 0
    let series = result.outcomes.compactMap { outcome -> LineChart.Series? in
      let points = meanPending(outcome, until: end)
      guard !points.isEmpty else { return nil }
      return LineChart.Series(
        outcome.label, points, isEmphasised: outcome.policy == .standard, isStepped: outcome.runs.count == 1)
    }
    guard end > 0, series.contains(where: { $0.points.count > 1 }) else { return nil }
    let seeds = result.study.seeds.count
    return LineChart(
      name: "\(result.study.name)-pending", title: "Requests left Pending so far",
      subtitle: seeds > 1
        ? "\(result.study.setting(withLoad: true)). Mean of \(seeds) seeds; the same requests for every policy."
        : summary(result, "The same requests for every policy."),
      x: Axis("time since the start", .seconds, range: 0...end), y: Axis("requests, summed up", .count), series: series
    ).image()
  }

  /// Pending requests so far over time, the mean over the seeds.
  private static func meanPending(_ outcome: StudyResult.Outcome, until end: Double) -> [LineChart.Point] {
    let runs = outcome.runs.map(\.samples).filter { !$0.isEmpty }
    guard runs.count > 1 else { return (runs.first ?? []).map { .init($0.time, Double($0.pending)) } }
    let steps = 150
    var sums = [Double](repeating: 0, count: steps + 1)
    for samples in runs {
      var next = 0
      var pending = 0
      for step in 0...steps {
        while next < samples.count, samples[next].time <= end * Double(step) / Double(steps) {
          pending = samples[next].pending
          next += 1
        }
        sums[step] += Double(pending)
      }
    }
    return sums.enumerated().map { .init(end * Double($0) / Double(steps), $1 / Double(runs.count)) }
  }

  /// Beside the default, the policies that show the two ends of the trade-off; a line for every one would hide it.
  static func slots(_ result: StudyResult) -> SVGImage? {
    let telling: [StandardPolicy] = [.standard, .mostFree, .bestFit]
    var shown = result.outcomes.filter { telling.contains($0.policy) }
    if shown.count < 2 { shown = Array(result.outcomes.prefix(3)) }
    let series = shown.compactMap { outcome -> LineChart.Series? in
      guard let run = outcome.runs.first else { return nil }
      return LineChart.Series(
        outcome.label, run.samples.map { .init($0.time, Double($0.slots)) },
        isEmphasised: outcome.policy == .standard, isStepped: true)
    }
    guard series.contains(where: { $0.points.count > 1 }) else { return nil }
    return LineChart(
      name: "\(result.study.name)-slots",
      title: "Volumes of \(Bytes.text(result.largeBytes)) that could still be placed",
      subtitle: summary(result, "When a line is at zero, the next such request stays Pending."),
      x: time(result), y: Axis("large volumes that still fit", .count), series: series
    ).image()
  }

  /// How many nodes have how much room, on average over the time after the warm-up.
  static func freeSpace(_ result: StudyResult) -> SVGImage? {
    let capacity = result.outcomes.flatMap(\.runs).flatMap(\.nodesAtEnd).map(\.capacityBytes).max() ?? 0
    guard capacity > 0 else { return nil }
    let panels = result.outcomes.compactMap { panel($0, result.study, capacity) }
    guard !panels.isEmpty else { return nil }
    return HistogramPanels(
      name: "\(result.study.name)-free-space", title: "Free space per node, on average over time",
      subtitle: "\(result.study.summary). Right of the dashed line a node still holds a volume of "
        + "\(Bytes.text(result.largeBytes)).",
      x: Axis("free space of a node", .bytes, range: 0...Double(capacity)), y: Axis("nodes", .count), panels: panels,
      reference: .init(Double(result.largeBytes), label: Bytes.text(result.largeBytes))
    ).image()
  }

  private static func panel(
    _ outcome: StudyResult.Outcome, _ study: Study, _ capacity: Int64
  ) -> HistogramPanels.Panel? {
    let bins = 20
    var counts = [Double](repeating: 0, count: bins)
    var (settled, slots) = (0, 0)
    for run in outcome.runs {
      guard let last = run.samples.last else { continue }
      for sample in run.samples
      where !sample.nodeUse.isEmpty && Double(sample.requests) >= study.warmup * Double(last.requests) {
        settled += 1
        slots += sample.slots
        for (node, use) in zip(run.nodesAtEnd, sample.nodeUse) {
          let share = Double(1 - use) * Double(node.capacityBytes) / Double(capacity)
          counts[max(0, min(bins - 1, Int(share * Double(bins))))] += 1
        }
      }
    }
    guard settled > 0 else { return nil }
    counts = counts.map { $0 / Double(settled) }
    return HistogramPanels.Panel(
      outcome.label, note: "\(Rounded.text(Double(slots) / Double(settled))) large fit", counts: counts,
      isEmphasised: outcome.policy == .standard)
  }

  static func nodes(_ result: StudyResult) -> SVGImage? {
    var end = 0.0
    let panels = result.outcomes.compactMap { outcome -> HeatMap.Panel? in
      guard let run = outcome.runs.first else { return nil }
      let samples = run.samples.filter { !$0.nodeUse.isEmpty }
      guard let last = samples.last else { return nil }
      end = max(end, last.time)
      let means = last.nodeUse.indices.map { node in samples.reduce(0.0) { $0 + Double($1.nodeUse[node]) } }
      let order = last.nodeUse.indices.sorted { (means[$1], $0) < (means[$0], $1) }
      return HeatMap.Panel(
        outcome.label, rows: order.map { node in samples.map { Double($0.nodeUse[node]) } },
        isEmphasised: outcome.policy == .standard)
    }
    guard !panels.isEmpty, end > 0 else { return nil }
    return HeatMap(
      name: "\(result.study.name)-nodes", title: "How full each node is, over time",
      subtitle: summary(result, "One row is a node, on average the fullest on top."),
      x: Axis("time since the start", .seconds, range: 0...end), rowsName: "nodes", low: "empty", high: "full",
      panels: panels
    ).image()
  }
}
