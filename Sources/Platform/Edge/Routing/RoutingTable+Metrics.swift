public import ProcessMetrics

extension RoutingTable: MetricsSource {
  public var metrics: MetricsText {
    var text = MetricsText()
    for (key, traffic) in traffic.sorted(by: { $0.key.description < $1.key.description }) {
      let app: KeyValuePairs = ["namespace": key.namespace, "app": key.name]
      text.counter("nagaya_edge_requests_total", "Requests to apps.", traffic.requests, app)
      for (digit, count) in traffic.answers.enumerated() {
        text.counter(
          "nagaya_edge_answers_total", "Answers by the first digit of their status; of clients that left before, none.",
          count, ["namespace": key.namespace, "app": key.name, "code": digit == 0 ? "none" : "\(digit)xx"])
      }
      text.gauge("nagaya_edge_requests_in_flight", "Requests that are not answered yet.", traffic.inFlight, app)
      text.counter("nagaya_edge_retries_total", "Requests that were sent to a second pod.", traffic.retries, app)
      text.counter(
        "nagaya_edge_received_bytes_total", "Bytes of bodies from clients.", traffic.bytesFromClients, app)
      text.counter("nagaya_edge_sent_bytes_total", "Bytes of bodies to clients.", traffic.bytesToClients, app)
    }
    return text
  }
}
