import JSONDocument
import KubernetesAPI
import KubernetesClient

/// Nobody gives away more than they hold: checked when roles and bindings are written.
///
/// A role may be written by who holds all its rules, or may `escalate` it; a binding by who holds all rules of the role
/// it names, or may `bind` that role (Kubernetes, "Privilege escalation prevention and bootstrapping").
struct RBACAdmission: Sendable {
  private let authorizer: RBACAuthorizer

  init(authorizer: RBACAuthorizer) { self.authorizer = authorizer }

  /// Whether `user` may write `object` as it is (after defaults and patches) in place of `stored`.
  /// - Returns: the refusal; `nil` if it may be written, and for every other kind.
  func check(user: UserInfo, object: KubernetesObject, stored: KubernetesObject?, resource: Resource) -> APIStatus? {
    guard resource.group == Resource.roles.group, !user.groups.contains(UserInfo.mastersGroup) else { return nil }
    let namespace = resource.isNamespaced ? object.namespace : nil
    switch resource.plural {
    case "roles", "clusterroles":
      if let stored, stored["rules"] == object["rules"], stored["aggregationRule"] == object["aggregationRule"] {
        return nil
      }
      var rules = object["rules"].elements.map(RBACRule.init)
      if !object["aggregationRule"].isNull {
        // Whoever aggregates by labels grants what will be labelled later, too.
        rules += RBACRule.everything
      }
      return refusal(user, rules, namespace, object, resource, verb: "escalate", on: resource.plural, object.name)
    case "rolebindings", "clusterrolebindings":
      let reference = object["roleRef"]
      if let stored, stored["roleRef"] == reference, stored["subjects"] == object["subjects"] { return nil }
      let isCluster = reference["kind"].string == "ClusterRole"
      // The rules of a role that does not exist cannot be compared: only who may bind anything binds it.
      let rules = authorizer.index().rules(of: reference, namespace: namespace) ?? RBACRule.everything
      return refusal(
        user, rules, namespace, object, resource, verb: "bind", on: isCluster ? "clusterroles" : "roles",
        reference["name"].string ?? "")
    default: return nil
    }
  }

  /// Whoever makes an owner's deletion wait must be allowed to hold it by finalizers (upstream's
  /// OwnerReferencesPermissionEnforcement), here for owners of the cluster.
  func check(blocking owners: [WriteReview.BlockedOwner], of write: WriteReview) -> APIStatus? {
    for owner in owners {
      let access = AccessAttributes(
        user: write.user, verb: "update", group: owner.resource.group, version: owner.resource.version,
        resource: owner.resource.plural, subresource: "finalizers", name: owner.name)
      if authorizer.decision(access).isAllowed { continue }
      return .forbidden(
        write.resource, write.new?.name ?? "",
        "cannot set blockOwnerDeletion in this case because you cannot set finalizers on \(owner.resource.kind) "
          + "\(owner.name); leave blockOwnerDeletion out")
    }
    return nil
  }

  private func refusal(
    _ user: UserInfo, _ rules: [RBACRule], _ namespace: String?, _ object: KubernetesObject, _ resource: Resource,
    verb: String, on plural: String, _ name: String
  ) -> APIStatus? {
    let held = authorizer.index().grants(of: user, namespace: namespace).flatMap(\.rules)
    let missing = rules.flatMap(\.atoms).filter { atom in !held.contains { $0.covers(atom: atom) } }
    guard !missing.isEmpty else { return nil }
    let access = AccessAttributes(
      user: user, verb: verb, group: resource.group, version: resource.version, resource: plural,
      namespace: namespace ?? "", name: name)
    if authorizer.decision(access).isAllowed { return nil }
    let list = missing.prefix(10).map(Self.text).joined(separator: "\n")
    let more = missing.count > 10 ? "\n(and \(missing.count - 10) more)" : ""
    return .forbidden(
      resource, object.name,
      "user \"\(user.name)\" (groups=\(user.groups)) is attempting to grant RBAC permissions not currently held:\n\(list)\(more)"
    )
  }

  /// `{APIGroups:["apps"], Resources:["deployments"], Verbs:["get"]}`
  private static func text(_ rule: RBACRule) -> String {
    let parts = [
      ("APIGroups", rule.apiGroups), ("Resources", rule.resources), ("ResourceNames", rule.resourceNames),
      ("NonResourceURLs", rule.nonResourceURLs), ("Verbs", rule.verbs),
    ].filter { !$0.1.isEmpty }
    return "{\(parts.map { "\($0.0):\($0.1)" }.joined(separator: ", "))}"
  }
}

extension APIServer {
  /// Refuses a role or binding by which the user would grant more than they hold.
  func checkEscalation(_ object: KubernetesObject, old: KubernetesObject?, _ context: RequestContext) throws(APIStatus)
  {
    var write = WriteReview(user: context.user, resource: context.resource, old: old, new: object)
    write.blockedOwners = newlyBlockedOwners(object, old: old)
    if let refusal = authorizer.refusalToGrant(write) { throw refusal }
  }

  /// Owners in a namespace are blocked by objects of that namespace alone, so by who may write there. An owner of the
  /// cluster belongs to nobody there.
  private func newlyBlockedOwners(_ object: KubernetesObject, old: KubernetesObject?) -> [WriteReview.BlockedOwner] {
    guard !object.metadata["ownerReferences"].isNull else { return [] }
    let known = Set(old?.ownerReferences ?? [])
    return object.ownerReferences.compactMap { reference in
      guard reference.blocksOwnerDeletion, !known.contains(reference),
        let kind = kinds.find(apiVersion: reference.apiVersion, kind: reference.kind)
      else { return nil }
      let resource = kinds.definitions[kind].resource
      return resource.isNamespaced ? nil : WriteReview.BlockedOwner(resource: resource, name: reference.name)
    }
  }
}
