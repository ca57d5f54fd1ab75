import LayerStore
import OCI
import ProcessMetrics

/// The daemon's figures.
enum ImagesMetrics {
  static func metrics(
    _ layers: [LayerStatus], decisions: [Digest: LayerDecision], fill: FillDecision, gauges: StoreGauges,
    calls: CallRegister
  ) -> MetricsText {
    var text = MetricsText()
    let complete = layers.count { $0.state == .complete }
    let states = "Layers on this machine by state."
    text.gauge("nagaya_images_layers", states, complete, ["state": "complete"])
    text.gauge("nagaya_images_layers", states, layers.count - complete, ["state": "filling"])
    for path in FillPath.allCases {
      text.gauge(
        "nagaya_images_fill_path", "By which way missing bytes are asked for: that one is 1.",
        path == fill.path ? 1 : 0,
        ["path": path.rawValue])
    }
    text.gauge("nagaya_images_mounted_layers", "Layers that are mounted.", layers.count { $0.isMounted })
    for reason in LostMount.Reason.allCases {
      text.gauge(
        "nagaya_images_lost_mounts", "File systems of layers whose containers must be started anew, by reason.",
        layers.reduce(0) { $0 + $1.lost.count { $0.reason == reason } }, ["reason": reason.rawValue])
    }
    for mode in LayerMode.allCases {
      text.gauge(
        "nagaya_images_decisions", "Layers that were asked for, by the way they came.",
        decisions.values.count { $0.mode == mode }, ["mode": mode.rawValue])
    }
    text.gauge(
      "nagaya_images_present_bytes", "Bytes of layers that are on this machine.",
      Double(layers.reduce(0) { $0 + $1.presentBytes }))
    let causes: [(String, FillCause)] = [("demand", .demand), ("prefetch", .prefetch), ("background", .background)]
    for (name, cause) in causes {
      text.counter(
        "nagaya_images_fetched_bytes_total", "Compressed bytes fetched, by cause.",
        Double(layers.reduce(0) { $0 + ($1.figures.fetchedBytes[cause] ?? 0) }), ["cause": name])
      text.counter(
        "nagaya_images_fetches_total", "Requests for ranges of layers, by cause.",
        Double(layers.reduce(0) { $0 + ($1.figures.fetches[cause] ?? 0) }), ["cause": name])
    }
    text.counter(
      "nagaya_images_failed_reads_total", "Reads that failed for want of bytes.",
      layers.reduce(0) { $0 + $1.figures.failedReads })
    text.counter(
      "nagaya_images_refused_answers_total", "Bytes that were not what their digest says.",
      layers.reduce(0) { $0 + $1.figures.refusals })
    text.merge(queues(gauges, calls))
    text.merge(stalls(layers.map(\.figures)))
    return text
  }

  private static func queues(_ gauges: StoreGauges, _ calls: CallRegister) -> MetricsText {
    let (inProgress, totals) = (calls.calls, calls.totals)
    var text = MetricsText()
    let states = "Calls and fills in progress; abandoned ones passed their deadline."
    text.gauge("nagaya_images_calls", states, inProgress.count { $0.isAbandoned }, ["state": "abandoned"])
    text.gauge("nagaya_images_calls", states, inProgress.count { !$0.isAbandoned }, ["state": "waited_for"])
    text.gauge(
      "nagaya_images_longest_call_seconds", "How long the oldest of them is in progress.",
      (inProgress.first?.age ?? .zero).seconds)
    text.counter("nagaya_images_calls_timed_out_total", "Calls that passed their deadline.", totals.timeouts)
    text.counter(
      "nagaya_images_calls_refused_total", "Calls that were refused, as there were too many.", totals.refusals)
    for (queue, count) in [
      ("reads", gauges.waitingReads), ("prefetches", gauges.prefetches), ("memory", gauges.memoryWaits),
    ] {
      text.gauge("nagaya_images_queue", "What waits in queues inside of the daemon.", count, ["queue": queue])
    }
    text.gauge(
      "nagaya_images_fill_memory_bytes", "Bytes of layers in memory while they are filled.", Double(gauges.memoryBytes))
    return text
  }

  private static func stalls(_ figures: [LayerFigures]) -> MetricsText {
    var text = MetricsText()
    let bounds = LayerFigures.stallBounds
    text.histogram(
      "nagaya_images_stall_seconds", "How long reads waited for content that was not there.",
      bounds: bounds.map { $0 / 1000 },
      counts: (0...bounds.count).map { index in figures.reduce(0) { $0 + $1.stalls[index] } },
      sum: figures.reduce(0) { $0 + $1.stalledSeconds })
    return text
  }
}
