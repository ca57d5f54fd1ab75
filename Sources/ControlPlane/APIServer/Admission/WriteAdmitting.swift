import KubernetesAPI
import KubernetesClient

/// A write as admission sees it: after defaults, patches and validation, before the commit.
public struct WriteReview: Sendable {
  public var user: UserInfo
  public var resource: Resource
  /// What is stored; `nil` when the object is created.
  public var old: KubernetesObject?
  /// What is to be stored; `nil` when the object's deletion is asked for.
  public var new: KubernetesObject?
  /// The write changes what its object belongs to (`ownerReferences`).
  public var changesOwners = false
  /// Owners whose deletion the write makes wait for its object (`blockOwnerDeletion`).
  public var blockedOwners: [BlockedOwner] = []

  public struct BlockedOwner: Sendable, Hashable {
    /// `nil`: a kind that this server does not serve.
    public let resource: Resource?
    public let name: String
  }

  public init(user: UserInfo, resource: Resource, old: KubernetesObject?, new: KubernetesObject?) {
    self.user = user
    self.resource = resource
    self.old = old
    self.new = new
  }
}

/// A rule over writes that floors above bring along: who may do what to which object.
public protocol WriteAdmitting: Sendable {
  /// - Returns: the refusal; `nil` if nothing speaks against the write.
  func refusal(of write: WriteReview) -> APIStatus?
}

extension APIServer {
  /// Asks every rule; a write that only marks an object as being deleted is reviewed as its deletion.
  func admit(old: KubernetesObject?, new: KubernetesObject?, _ context: RequestContext) throws(APIStatus) {
    if let new {
      try LimitRangeAdmission(cache: cache, kinds: kinds).check(old: old, new: new, context.resource)
      try ClaimGrowthAdmission(cache: cache, kinds: kinds).check(old: old, new: new, context.resource)
    }
    guard !admission.isEmpty, old != new else { return }
    let isDeletion = old.map { !$0.isBeingDeleted } ?? false && new.map(\.isBeingDeleted) ?? true
    let review = WriteReview(
      user: context.user, resource: context.resource, old: old, new: isDeletion ? nil : new)
    for rule in admission {
      if let refusal = rule.refusal(of: review) { throw refusal }
    }
  }
}
