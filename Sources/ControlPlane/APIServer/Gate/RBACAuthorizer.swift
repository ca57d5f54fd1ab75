import KubernetesAPI
import KubernetesClient
import Locking

/// Decides by the cluster's Roles, ClusterRoles and their bindings. Nobody may anything but for a rule that says so;
/// members of `system:masters` may everything.
///
/// The rules are compiled when one of the four kinds has changed, from what is read of each object once; decisions are kept until
/// then.
public final class RBACAuthorizer: Authorizing {
  private struct State {
    var revisions: [UInt64] = []
    var sources = RBACSources()
    var index: RBACIndex?
    var decisions: [AccessAttributes: AccessDecision] = [:]
    var compilations = 0
  }

  private let objects: any ObjectReading
  private let state = Mutex(State())
  /// Decisions kept at most; then all are forgotten.
  private static let decisionLimit = 16_384

  public init(objects: any ObjectReading) { self.objects = objects }

  public func decide(_ access: AccessAttributes) async -> AccessDecision { decision(access) }

  public func refusalToGrant(_ write: WriteReview) -> APIStatus? {
    guard let object = write.new else { return nil }
    let admission = RBACAdmission(authorizer: self)
    return admission.check(user: write.user, object: object, stored: write.old, resource: write.resource)
      ?? admission.check(owners: write)
  }

  public func namespacesGranted(to user: UserInfo) -> [Set<String>] { index().namespaces(of: user) }

  /// What the rules say now; needs no waiting.
  func decision(_ access: AccessAttributes) -> AccessDecision {
    if access.user.groups.contains(UserInfo.mastersGroup) { return .allowed("member of \(UserInfo.mastersGroup)") }
    let (index, known) = current(access)
    if let known { return known }
    let decision = index.decide(access)
    let revisions = revisions()
    state.withLock { state in
      guard state.revisions == revisions else { return }
      if state.decisions.count >= Self.decisionLimit { state.decisions.removeAll(keepingCapacity: true) }
      state.decisions[access] = decision
    }
    return decision
  }

  /// The rules as they are now.
  func index() -> RBACIndex { current(nil).0 }

  /// How many roles and bindings were decoded.
  var decodes: Int { state.withLock { $0.sources.decodes } }
  /// How often the rules were compiled.
  var compilations: Int { state.withLock { $0.compilations } }

  private func revisions() -> [UInt64] { RBACIndex.resources.map { objects.revision(of: $0) } }

  private func current(_ access: AccessAttributes?) -> (RBACIndex, AccessDecision?) {
    state.withLock { state in
      // Revisions are read before objects: a change between the two makes the next call compile again.
      let revisions = revisions()
      if state.revisions == revisions, let index = state.index {
        return (index, access.flatMap { state.decisions[$0] })
      }
      state.sources.refresh(objects)
      let index = RBACIndex(state.sources)
      state.index = index
      state.revisions = revisions
      state.decisions.removeAll(keepingCapacity: true)
      state.compilations += 1
      return (index, nil)
    }
  }

  /// All rules that hold for the user in a namespace, for `kubectl auth can-i --list`.
  func rules(of user: UserInfo, namespace: String) -> [RBACRule] {
    if user.groups.contains(UserInfo.mastersGroup) { return RBACRule.everything }
    return index().grants(of: user, namespace: namespace).flatMap { grant in
      grant.namespace == nil ? grant.rules : grant.rules.filter { $0.nonResourceURLs.isEmpty }
    }
  }
}
