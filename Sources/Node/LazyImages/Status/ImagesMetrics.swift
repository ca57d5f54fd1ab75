import LayerStore
import OCI

/// The daemon's figures in Prometheus' text format (exposition formats, version 0.0.4).
struct ImagesMetrics {
  private var text = ""

  static func render(_ layers: [LayerStatus], decisions: [Digest: LayerDecision]) -> String {
    var metrics = ImagesMetrics()
    metrics.family("nagaya_images_layers", "gauge", "Layers on this machine by state.")
    for (state, count) in [
      ("complete", layers.count { $0.isComplete }), ("filling", layers.count { !$0.isComplete }),
    ] { metrics.sample("nagaya_images_layers", [("state", state)], "\(count)") }
    metrics.family("nagaya_images_mounted_layers", "gauge", "Layers that are mounted.")
    metrics.sample("nagaya_images_mounted_layers", [], "\(layers.count { $0.isMounted })")
    metrics.family("nagaya_images_decisions", "gauge", "Layers that were asked for, by the way they came.")
    for mode in LayerMode.allCases {
      metrics.sample(
        "nagaya_images_decisions", [("mode", mode.rawValue)], "\(decisions.values.count { $0.mode == mode })")
    }
    metrics.family("nagaya_images_present_bytes", "gauge", "Bytes of layers that are on this machine.")
    metrics.sample("nagaya_images_present_bytes", [], "\(layers.reduce(0) { $0 + $1.presentBytes })")
    metrics.family("nagaya_images_fetched_bytes_total", "counter", "Compressed bytes fetched, by cause.")
    for (cause, path) in [
      ("demand", \FetchedBytes.demand), ("prefetch", \.prefetch), ("background", \.background),
    ] {
      metrics.sample(
        "nagaya_images_fetched_bytes_total", [("cause", cause)],
        "\(layers.reduce(0) { $0 + $1.fetched[keyPath: path] })")
    }
    metrics.family("nagaya_images_fetches_total", "counter", "Requests for ranges of layers.")
    metrics.sample("nagaya_images_fetches_total", [], "\(layers.reduce(0) { $0 + $1.fetches })")
    metrics.histogram(
      "nagaya_images_stall_seconds", "How long reads waited for content that was not there.",
      layers.reduce(into: StallHistogram()) { $0.add($1.stalls) })
    return metrics.text
  }

  private mutating func family(_ name: String, _ type: String, _ help: String) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
  }

  private mutating func sample(_ name: String, _ labels: [(String, String)], _ value: String) {
    let list = labels.map { "\($0.0)=\"\($0.1)\"" }.joined(separator: ",")
    text += list.isEmpty ? "\(name) \(value)\n" : "\(name){\(list)} \(value)\n"
  }

  private mutating func histogram(_ name: String, _ help: String, _ histogram: StallHistogram) {
    family(name, "histogram", help)
    var total = 0
    for (bound, count) in zip(StallHistogram.bounds, histogram.counts) {
      total += count
      sample("\(name)_bucket", [("le", "\(bound)")], "\(total)")
    }
    sample("\(name)_bucket", [("le", "+Inf")], "\(histogram.count)")
    text += "\(name)_sum \(histogram.seconds)\n\(name)_count \(histogram.count)\n"
  }
}
