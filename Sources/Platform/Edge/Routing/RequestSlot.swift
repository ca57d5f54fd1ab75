import KubernetesAPI

/// A request's place among those that are under way at its app.
///
/// It is given back exactly once: by `finish`, or with the last reference, so that no way out of a request, foreseen or
/// not, can keep it. Used on one event loop.
public final class RequestSlot {
  public let app: ObjectKey
  /// The pod that works on the request.
  public private(set) var endpoint: Endpoint
  private let routes: RoutingTable
  private var isOver = false

  init(_ app: ObjectKey, at endpoint: Endpoint, of routes: RoutingTable) {
    self.app = app
    self.endpoint = endpoint
    self.routes = routes
  }

  deinit { finish(status: 0) }

  /// Turns to another ready pod.
  /// - Returns: whether there is one that is not among `tried`; else nothing changed.
  public func move(except tried: Set<Endpoint>) -> Bool {
    guard !isOver, let next = routes.move(app, from: endpoint, except: tried) else { return false }
    endpoint = next
    return true
  }

  /// The request is over; a second call does nothing.
  /// - Parameters:
  ///   - status: what the client was answered; 0 if it left before.
  ///   - received: bytes of the request's body.
  ///   - sent: bytes of the answer's body.
  public func finish(status: Int, received: Int = 0, sent: Int = 0) {
    guard !isOver else { return }
    isOver = true
    routes.finish(app, at: endpoint, status: status, received: received, sent: sent)
  }
}
