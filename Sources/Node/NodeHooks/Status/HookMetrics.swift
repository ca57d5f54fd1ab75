import ProcessMetrics

/// The hooks' figures.
enum HookMetrics {
  static func metrics(
    _ figures: HookCounters.Figures, containers: Int, unadjusted: Int, policies: Int
  ) -> MetricsText {
    var text = MetricsText()
    text.histogram(
      "nagaya_hooks_answer_seconds", "Time from a question to its answer.",
      bounds: HookCounters.edges.map { Double($0) / 1_000_000 }, counts: figures.answers, sum: figures.answerSeconds)
    text.gauge("nagaya_hooks_connected", "Whether the runtime can ask.", figures.isConnected ? 1 : 0)
    text.counter("nagaya_hooks_adjusted_total", "Containers that were changed.", figures.adjusted)
    text.counter("nagaya_hooks_refused_total", "Containers that were not made.", figures.refused)
    text.counter(
      "nagaya_hooks_late_total", "Containers that were not made because no decision came in time.", figures.late)
    text.counter("nagaya_hooks_ignored_total", "Hooks that failed and were left out.", figures.ignored)
    text.counter("nagaya_hooks_audited_total", "Containers of which was only said what would be.", figures.audited)
    text.counter("nagaya_hooks_connections_total", "Connections with the runtime.", figures.connections)
    text.counter(
      "nagaya_hooks_disconnections_total", "Connections that could not be made, or ended.", figures.disconnections)
    text.counter("nagaya_hooks_updates_total", "Changes of containers that ran.", figures.updates)
    text.counter(
      "nagaya_hooks_failed_updates_total", "Changes that the runtime could not make.", figures.failedUpdates)
    text.counter(
      "nagaya_hooks_policy_faults_total", "Changes of the policies that can't be used.", figures.policyFaults)
    text.gauge("nagaya_hooks_policies", "Policies that hold.", policies)
    text.gauge("nagaya_hooks_containers", "Containers that are known.", containers)
    text.gauge(
      "nagaya_hooks_unadjusted_containers", "Containers that were made while no hook could be asked.", unadjusted)
    return text
  }
}
