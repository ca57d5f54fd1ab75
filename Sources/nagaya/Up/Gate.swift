import APIServer
import Synchronization

/// Makes authorization over the server's own objects, and keeps what authentication and reviews need of it.
final class Gate: Sendable {
  private struct State {
    var objects: (any ObjectReading)?
    var authorizer: NodeAuthorizer?
  }
  private let state = Mutex(State())

  func authorizer(over objects: any ObjectReading) -> any Authorizing {
    let authorizer = NodeAuthorizer(roles: RBACAuthorizer(objects: objects), objects: objects)
    state.withLock { $0 = State(objects: objects, authorizer: authorizer) }
    return authorizer
  }

  func virtualResources() -> [any VirtualResourceHandling] {
    state.withLock { $0.authorizer }.map { [AccessReviews(authorizer: $0)] } ?? []
  }

  var objects: (any ObjectReading)? { state.withLock { $0.objects } }
}
