import APIServer
import CertificateAuthority
import Edge
import Locking
import StorageControllers

/// Makes authorization over the server's own objects, and keeps what authentication and reviews need of it.
final class Gate: Sendable {
  private struct State {
    var objects: (any ObjectReading)?
    var authorizer: NodeAuthorizer?
  }
  private let state = Mutex(State())
  private let keys: SigningKeys
  private let revocations: Revocations?

  /// - Parameters:
  ///   - keys: what signs tokens of service accounts.
  ///   - revocations: what was taken back.
  init(keys: SigningKeys = SigningKeys(), revocations: Revocations? = nil) {
    self.keys = keys
    self.revocations = revocations
  }

  func authorizer(over objects: any ObjectReading) -> any Authorizing {
    let authorizer = NodeAuthorizer(
      roles: RBACAuthorizer(objects: objects), objects: objects,
      lists: [EdgeAccess.name: ListLimits(EdgeAccess.labels)], volumeLabel: StorageAccess.nodeLabel)
    state.withLock { $0 = State(objects: objects, authorizer: authorizer) }
    return authorizer
  }

  /// - Parameter certificates: signs for the edge, what the authorizer lets through.
  func virtualResources(
    certificates: (any Authorizing) -> LeafCertificates? = { _ in nil }
  ) -> [any VirtualResourceHandling] {
    let (objects, authorizer) = state.withLock { ($0.objects, $0.authorizer) }
    guard let objects, let authorizer else { return [] }
    let tokens = AccountTokens(keys: keys, objects: objects, revocations: revocations)
    return [
      AccessReviews(authorizer: authorizer),
      TokenResources(tokens: tokens, objects: objects, authorizer: authorizer),
    ] + (certificates(authorizer).map { [$0] } ?? [])
  }

  var objects: (any ObjectReading)? { state.withLock { $0.objects } }
}
