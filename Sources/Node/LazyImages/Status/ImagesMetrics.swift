import LayerStore
import OCI

/// The daemon's figures in Prometheus' text format (exposition formats, version 0.0.4).
struct ImagesMetrics {
  private var text = ""

  static func render(
    _ layers: [LayerStatus], decisions: [Digest: LayerDecision], fill: FillDecision, gauges: StoreGauges,
    calls: CallRegister
  ) -> String {
    var metrics = ImagesMetrics()
    let complete = layers.count { $0.state == .complete }
    metrics.family("nagaya_images_layers", "gauge", "Layers on this machine by state.")
    metrics.sample("nagaya_images_layers", [("state", "complete")], "\(complete)")
    metrics.sample("nagaya_images_layers", [("state", "filling")], "\(layers.count - complete)")
    metrics.family("nagaya_images_fill_path", "gauge", "By which way missing bytes are asked for: that one is 1.")
    for path in FillPath.allCases {
      metrics.sample("nagaya_images_fill_path", [("path", path.rawValue)], path == fill.path ? "1" : "0")
    }
    metrics.family("nagaya_images_mounted_layers", "gauge", "Layers that are mounted.")
    metrics.sample("nagaya_images_mounted_layers", [], "\(layers.count { $0.isMounted })")
    metrics.family(
      "nagaya_images_lost_mounts", "gauge", "File systems of layers whose containers must be started anew, by reason.")
    for reason in LostMount.Reason.allCases {
      metrics.sample(
        "nagaya_images_lost_mounts", [("reason", reason.rawValue)],
        "\(layers.reduce(0) { $0 + $1.lost.count { $0.reason == reason } })")
    }
    metrics.family("nagaya_images_decisions", "gauge", "Layers that were asked for, by the way they came.")
    for mode in LayerMode.allCases {
      metrics.sample(
        "nagaya_images_decisions", [("mode", mode.rawValue)], "\(decisions.values.count { $0.mode == mode })")
    }
    metrics.family("nagaya_images_present_bytes", "gauge", "Bytes of layers that are on this machine.")
    metrics.sample("nagaya_images_present_bytes", [], "\(layers.reduce(0) { $0 + $1.presentBytes })")
    let causes: [(String, FillCause)] = [("demand", .demand), ("prefetch", .prefetch), ("background", .background)]
    metrics.family("nagaya_images_fetched_bytes_total", "counter", "Compressed bytes fetched, by cause.")
    for (name, cause) in causes {
      metrics.sample(
        "nagaya_images_fetched_bytes_total", [("cause", name)],
        "\(layers.reduce(0) { $0 + ($1.figures.fetchedBytes[cause] ?? 0) })")
    }
    metrics.family("nagaya_images_fetches_total", "counter", "Requests for ranges of layers, by cause.")
    for (name, cause) in causes {
      metrics.sample(
        "nagaya_images_fetches_total", [("cause", name)],
        "\(layers.reduce(0) { $0 + ($1.figures.fetches[cause] ?? 0) })")
    }
    metrics.family("nagaya_images_failed_reads_total", "counter", "Reads that failed for want of bytes.")
    metrics.sample("nagaya_images_failed_reads_total", [], "\(layers.reduce(0) { $0 + $1.figures.failedReads })")
    metrics.family("nagaya_images_refused_answers_total", "counter", "Bytes that were not what their digest says.")
    metrics.sample("nagaya_images_refused_answers_total", [], "\(layers.reduce(0) { $0 + $1.figures.refusals })")
    metrics.queues(gauges, calls)
    metrics.stalls(layers.map(\.figures))
    return metrics.text
  }

  private mutating func queues(_ gauges: StoreGauges, _ calls: CallRegister) {
    let (inProgress, totals) = (calls.calls, calls.totals)
    family("nagaya_images_calls", "gauge", "Calls and fills in progress; abandoned ones passed their deadline.")
    sample("nagaya_images_calls", [("state", "abandoned")], "\(inProgress.count { $0.isAbandoned })")
    sample("nagaya_images_calls", [("state", "waited_for")], "\(inProgress.count { !$0.isAbandoned })")
    family("nagaya_images_longest_call_seconds", "gauge", "How long the oldest of them is in progress.")
    sample("nagaya_images_longest_call_seconds", [], "\((inProgress.first?.age ?? .zero).seconds)")
    family("nagaya_images_calls_timed_out_total", "counter", "Calls that passed their deadline.")
    sample("nagaya_images_calls_timed_out_total", [], "\(totals.timeouts)")
    family("nagaya_images_calls_refused_total", "counter", "Calls that were refused, as there were too many.")
    sample("nagaya_images_calls_refused_total", [], "\(totals.refusals)")
    family("nagaya_images_queue", "gauge", "What waits in queues inside of the daemon.")
    for (queue, count) in [
      ("reads", gauges.waitingReads), ("prefetches", gauges.prefetches), ("memory", gauges.memoryWaits),
    ] { sample("nagaya_images_queue", [("queue", queue)], "\(count)") }
    family("nagaya_images_fill_memory_bytes", "gauge", "Bytes of layers in memory while they are filled.")
    sample("nagaya_images_fill_memory_bytes", [], "\(gauges.memoryBytes)")
  }

  private mutating func family(_ name: String, _ type: String, _ help: String) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
  }

  private mutating func sample(_ name: String, _ labels: [(String, String)], _ value: String) {
    let list = labels.map { "\($0.0)=\"\($0.1)\"" }.joined(separator: ",")
    text += list.isEmpty ? "\(name) \(value)\n" : "\(name){\(list)} \(value)\n"
  }

  private mutating func stalls(_ figures: [LayerFigures]) {
    let name = "nagaya_images_stall_seconds"
    family(name, "histogram", "How long reads waited for content that was not there.")
    var total = 0
    for (index, bound) in LayerFigures.stallBounds.enumerated() {
      total += figures.reduce(0) { $0 + $1.stalls[index] }
      sample("\(name)_bucket", [("le", "\(bound / 1000)")], "\(total)")
    }
    let count = figures.reduce(0) { $0 + $1.stalls.reduce(0, +) }
    sample("\(name)_bucket", [("le", "+Inf")], "\(count)")
    text += "\(name)_sum \(figures.reduce(0) { $0 + $1.stalledSeconds })\n\(name)_count \(count)\n"
  }
}
