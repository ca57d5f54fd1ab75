import KubernetesAPI
import KubernetesClient

extension APIServer {
  func watch(_ context: RequestContext) throws(APIStatus) -> APIResponse {
    let request = context.request
    let filter = try filter(context)
    let rendering = try rendering(context)
    let revision = try ListVersion(watch: request).revision ?? 0
    let wantsBookmarks = request.flag("allowWatchBookmarks")
    var start: WatchHub.Start = revision == 0 ? .snapshot : .after(revision)
    var marksEnd = false
    if let text = request.parameter("sendInitialEvents") {
      if text == "true" || text == "1" {
        guard wantsBookmarks else {
          throw APIStatus(.invalid, "sendInitialEvents=true requires allowWatchBookmarks=true")
        }
        // The newest state is never older than what is asked for, unless that is not this store's.
        guard revision <= cache.revision else {
          throw APIStatus.tooLargeResourceVersion(revision, current: cache.revision)
        }
        start = .snapshot
        marksEnd = true
      } else if revision == 0 {
        start = .now
      }
    }
    let seconds = try request.number("timeoutSeconds") ?? 0
    let timeout: Duration =
      seconds > 0
      ? .seconds(min(seconds, 86_400)) : configuration.watchTimeout * Double.random(in: 1...2)
    do throws(APIStatus) {
      let subscription = try hub.register(
        kind: context.kind, filter: filter, start: start, takesBytes: rendering.form == .object,
        wantsBookmarks: wantsBookmarks, timeout: timeout)
      let stream = WatchStream(
        subscription: subscription, filter: filter, rendering: rendering, marksInitialEventsEnd: marksEnd)
      return APIResponse(status: 200, headers: context.warningHeaders, body: .stream(ByteStream(stream)))
    } catch {
      // An expired version is told within the stream, where reflectors look for it.
      guard error.isExpired else { throw error }
      let line = Array(#"{"type":"ERROR","object":"#.utf8) + error.json.encoded() + Array("}\n".utf8)
      return APIResponse(status: 200, body: .bytes(line))
    }
  }
}
