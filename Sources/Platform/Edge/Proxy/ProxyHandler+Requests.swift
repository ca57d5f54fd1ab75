import KubernetesAPI
import NIOCore
import NIOHTTP1

/// What the client asks: parts of requests, and the checks that one passes before a pod sees it.
extension ProxyHandler {
  func process() {
    guard !isProcessing else { return }
    isProcessing = true
    var wrote = false
    loop: while let part = parts.first {
      switch (state, part) {
      case (.idle, .head(let head)):
        parts.removeFirst()
        begin(head)
      case (.idle, _):
        parts.removeFirst()  // the rest of a request that was answered early
      case (.exchanging(let exchange), .body(let bytes)) where !exchange.requestEnded:
        parts.removeFirst()
        exchange.hasSentBody = true
        exchange.received += bytes.readableBytes
        exchange.lastBytes = .now()
        exchange.upstream?.send(.body(.byteBuffer(bytes)))
        wrote = true
      case (.exchanging(let exchange), .end(let trailers)) where !exchange.requestEnded:
        parts.removeFirst()
        exchange.requestEnded = true
        exchange.lastBytes = .now()
        exchange.upstream?.send(.end(exchange.framing == .chunked ? ForwardingFields.trailers(trailers) : nil))
        wrote = true
      case (.discarding(let left, let keepsClient), .body(let bytes)):
        parts.removeFirst()
        guard bytes.readableBytes <= left else {
          state = .done
          context?.close(promise: nil)
          break loop
        }
        state = .discarding(left: left - bytes.readableBytes, keepsClient: keepsClient)
      case (.discarding(_, let keepsClient), .end):
        parts.removeFirst()
        becomeIdle(keepsClient: keepsClient)
      case (.done, _):
        parts.removeAll()
      default:
        break loop  // the next request waits for this one
      }
    }
    isProcessing = false
    if wrote, case .exchanging(let exchange) = state { exchange.upstream?.flush() }
    resumeReading()
  }

  /// The port that this client reached the edge at.
  private var publicPort: Int {
    let channel = context?.channel
    return (channel?.parent ?? channel)?.localAddress?.port ?? shared.configuration.port
  }

  private func pageForNoApp(at host: String) -> ErrorPage {
    let domain = shared.configuration.domain
    guard let former = HostName.formerApp(of: host, domain: domain), let now = shared.routes.host(of: former) else {
      return .unknownHost(host)
    }
    return .moved(host, to: now.url(below: domain, port: publicPort))
  }

  /// Checks a request, finds its app and takes it on.
  private func begin(_ head: HTTPRequestHead) {
    idleTimer?.cancel()
    beginActivity()
    var keepsClient = isHTTP2 || (head.isKeepAlive && head.version == .http1_1)
    // After such a head the decoder takes everything that follows for the other protocol's bytes.
    if !isHTTP2, head.headers.contains(name: "upgrade") { keepsClient = false }
    func refuse(_ status: Int, _ why: String) {
      answer(.refused(status: status, why), to: head, keepsClient: isHTTP2)
    }
    guard Forwarding.bytes(of: head.headers) + head.uri.utf8.count <= limits.headerBytes else {
      return refuse(431, "its header fields are larger than \(limits.headerBytes) bytes")
    }
    guard head.method != .CONNECT else { return refuse(405, "the edge is no forward proxy") }
    let hosts = head.headers["host"]
    let target = Forwarding.absoluteForm(head.uri)?.authority
    guard hosts.count <= 1, let authority = target ?? hosts.first, let host = HostName.normalized(authority),
      // RFC 9112 section 3.2 asks for the same in both; whoever looks at the other one would serve another app.
      target == nil || hosts.first.map({ $0.lowercased() == authority.lowercased() }) ?? true
    else { return refuse(400, "it needs exactly one valid Host") }
    guard head.uri.hasPrefix("/") || head.uri == "*" || Forwarding.absoluteForm(head.uri) != nil else {
      return refuse(400, "its target is no path")
    }
    let framing: Forwarding.RequestFraming
    do throws(Forwarding.Refusal) {
      var hasBody = true
      if case .end = parts.first { hasBody = false }
      framing = try Forwarding.framing(of: head, isHTTP2: isHTTP2, hasBody: hasBody)
    } catch { return refuse(Int(error.status.code), "it has \(error.why)") }

    let domain = shared.configuration.domain
    guard let appHost = AppHost(host, below: domain), let app = shared.routes.app(at: appHost) else {
      return answer(pageForNoApp(at: host), to: head, keepsClient: keepsClient)
    }
    switch shared.routes.admit(app, limit: limits.requestsPerApp) {
    case .unknown: answer(.unknownHost(host), to: head, keepsClient: keepsClient)
    case .notReady(let reason, let message):
      shared.routes.refused(app, status: 503)
      answer(.notReady(app, reason: reason, message: message), to: head, keepsClient: keepsClient)
    case .overloaded:
      shared.routes.refused(app, status: 503)
      answer(.overloaded(app), to: head, keepsClient: keepsClient)
    case .admitted(let slot):
      let upgrade = isHTTP2 ? nil : Forwarding.upgrade(of: head).flatMap { $0.lowercased() == "h2c" ? nil : $0 }
      let exchange = Exchange(
        slot: slot, site: "\(appHost.environment.tenant).\(domain)", host: authority, head: head, framing: framing,
        upgrade: upgrade, keepsClient: keepsClient)
      state = .connecting(exchange)
      watch(exchange)
      // In the loop's next turn: who takes a request back in the same breath costs its pod nothing.
      context?.eventLoop.assumeIsolated().execute {
        guard case .connecting(let current) = self.state, current === exchange else { return }
        self.connect(exchange, mayReuse: upgrade == nil)
      }
    }
  }
}
