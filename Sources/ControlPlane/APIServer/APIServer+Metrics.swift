import KubernetesClient
public import ProcessMetrics

extension APIServer: MetricsSource {
  /// What the server has done and holds.
  public var metrics: MetricsText {
    let counters = counters
    var text = MetricsText()
    for kind in counters.kinds {
      text.gauge("apiserver_storage_objects", "Objects that are stored.", kind.objects, ["resource": kind.resource])
    }
    for kind in counters.kinds {
      text.gauge(
        "nagaya_apiserver_object_bytes", "Bytes of JSON of the objects that are stored.", kind.bytes,
        ["resource": kind.resource])
    }
    text.gauge(
      "nagaya_apiserver_objects_set_apart", "Stored objects that cannot be read.", objectsSetApart.count)
    text.gauge("nagaya_apiserver_history_bytes", "Bytes of events kept for watches that resume.", counters.historyBytes)
    text.counter("nagaya_apiserver_requests_total", "Requests.", counters.requests)
    text.counter(
      "nagaya_apiserver_requests_limited_total", "Requests refused as their user had too many.",
      counters.requestsLimited)
    text.gauge("nagaya_apiserver_requests_waiting", "Requests that wait for a seat.", counters.requestsWaiting)
    text.gauge("nagaya_apiserver_seats_held", "Seats that requests hold.", counters.seatsHeld)
    text.gauge("nagaya_apiserver_lasting_requests", "Watches and logs that are open.", counters.lastingRequests)
    text.gauge("nagaya_apiserver_watchers", "Watchers, those inside of the process among them.", counters.watchers)
    text.counter("nagaya_apiserver_commits_total", "Commits of the store.", counters.commits)
    text.counter("nagaya_apiserver_failed_commits_total", "Commits that failed.", counters.failedCommits)
    text.counter("nagaya_apiserver_writes_total", "Writes, of which a commit holds many.", counters.writes)
    text.counter("nagaya_apiserver_events_encoded_total", "Events that were encoded.", counters.eventsEncoded)
    text.counter(
      "nagaya_apiserver_events_delivered_total", "Events that watchers were given.", counters.eventsDelivered)
    text.counter(
      "nagaya_apiserver_slow_watchers_ended_total", "Watchers ended as they did not keep up.",
      counters.slowWatchersEnded)
    text.counter(
      "nagaya_apiserver_read_decodes_total", "Objects decoded to answer reads.", counters.decodesForReading)
    return text
  }

  /// `GET /metrics`: the server's, and its process's.
  func metricsResponse() -> APIResponse {
    var text = metrics
    text.merge(ProcessFigures.metrics)
    return APIResponse(status: 200, contentType: MetricsText.contentType, body: .bytes(Array(text.text.utf8)))
  }
}
