import KubernetesAPI
import NIOCore
import NIOHTTP1

/// One request on its way through the edge.
final class Exchange {
  let slot: RequestSlot
  /// `<tenant>.<domain>`: how far the app's cookies may reach.
  let site: String
  let host: String
  let head: HTTPRequestHead
  let framing: Forwarding.RequestFraming
  /// The protocol the client asks to switch to.
  let upgrade: String?
  let began = NIODeadline.now()

  var tried: Set<Endpoint> = []
  /// The connection that it waits for.
  var opening: UpstreamOpening?
  var upstream: UpstreamHandler?
  /// The connection had served a request before; the pod may be closing it.
  var isReused = false
  /// Part of the body was sent, so the request can't be sent again.
  var hasSentBody = false
  var requestEnded = false
  var responseHead: HTTPResponseHead?
  var keepsClient: Bool
  var keepsUpstream = false
  var lastBytes = NIODeadline.now()
  var watchdog: Scheduled<Void>?
  var received = 0
  var sent = 0

  init(
    slot: RequestSlot, site: String, host: String, head: HTTPRequestHead, framing: Forwarding.RequestFraming,
    upgrade: String?, keepsClient: Bool
  ) {
    self.slot = slot
    self.site = site
    self.host = host
    self.head = head
    self.framing = framing
    self.upgrade = upgrade
    self.keepsClient = keepsClient
  }

  var app: ObjectKey { slot.app }
  var endpoint: Endpoint { slot.endpoint }

  /// A request that was sent on a kept connection may be sent anew if that closed without an answer: it was probably
  /// never read. RFC 9110 section 9.2.2 allows that for idempotent methods.
  var maySendAgain: Bool {
    guard responseHead == nil, !hasSentBody else { return false }
    switch head.method {
    case .GET, .HEAD, .OPTIONS, .TRACE, .PUT, .DELETE: return true
    default: return false
    }
  }
}
