/// The hooks' figures in Prometheus' text format (exposition formats, version 0.0.4).
struct HookMetrics {
  private var text = ""

  static func render(_ figures: HookCounters.Figures, containers: Int, unadjusted: Int, policies: Int) -> String {
    var metrics = HookMetrics()
    metrics.histogram(figures)
    metrics.gauge("nagaya_hooks_connected", "Whether the runtime can ask.", figures.isConnected ? 1 : 0)
    metrics.counter("nagaya_hooks_adjusted_total", "Containers that were changed.", figures.adjusted)
    metrics.counter("nagaya_hooks_refused_total", "Containers that were not made.", figures.refused)
    metrics.counter(
      "nagaya_hooks_late_total", "Containers that were not made because no decision came in time.", figures.late)
    metrics.counter("nagaya_hooks_ignored_total", "Hooks that failed and were left out.", figures.ignored)
    metrics.counter("nagaya_hooks_audited_total", "Containers of which was only said what would be.", figures.audited)
    metrics.counter("nagaya_hooks_connections_total", "Connections with the runtime.", figures.connections)
    metrics.counter(
      "nagaya_hooks_disconnections_total", "Connections that could not be made, or ended.", figures.disconnections)
    metrics.counter("nagaya_hooks_updates_total", "Changes of containers that ran.", figures.updates)
    metrics.counter(
      "nagaya_hooks_failed_updates_total", "Changes that the runtime could not make.", figures.failedUpdates)
    metrics.counter(
      "nagaya_hooks_policy_faults_total", "Changes of the policies that can't be used.", figures.policyFaults)
    metrics.gauge("nagaya_hooks_policies", "Policies that hold.", policies)
    metrics.gauge("nagaya_hooks_containers", "Containers that are known.", containers)
    metrics.gauge(
      "nagaya_hooks_unadjusted_containers", "Containers that were made while no hook could be asked.", unadjusted)
    return metrics.text
  }

  private mutating func counter(_ name: String, _ help: String, _ value: Int) { single(name, "counter", help, value) }
  private mutating func gauge(_ name: String, _ help: String, _ value: Int) { single(name, "gauge", help, value) }

  private mutating func single(_ name: String, _ type: String, _ help: String, _ value: Int) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n\(name) \(value)\n"
  }

  private mutating func histogram(_ figures: HookCounters.Figures) {
    let name = "nagaya_hooks_answer_seconds"
    text += "# HELP \(name) Time from a question to its answer.\n# TYPE \(name) histogram\n"
    var sum = 0
    for (edge, count) in zip(HookCounters.edges, figures.answers) {
      sum += count
      text += "\(name)_bucket{le=\"\(Double(edge) / 1_000_000)\"} \(sum)\n"
    }
    sum += figures.answers.last ?? 0
    text += "\(name)_bucket{le=\"+Inf\"} \(sum)\n\(name)_sum \(figures.answerSeconds)\n\(name)_count \(sum)\n"
  }
}
