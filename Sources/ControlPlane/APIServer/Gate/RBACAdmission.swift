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

  /// Whoever changes what an object belongs to must be allowed to delete it, for the owner's deletion will; and whoever makes
  /// an owner's deletion wait must be allowed to hold it by finalizers (upstream: OwnerReferencesPermissionEnforcement).
  func check(owners write: WriteReview) -> APIStatus? {
    guard write.changesOwners, let object = write.new, !write.user.groups.contains(UserInfo.mastersGroup) else {
      return nil
    }
    if write.old != nil {
      let access = AccessAttributes(
        user: write.user, verb: "delete", group: write.resource.group, version: write.resource.version,
        resource: write.resource.plural, namespace: object.namespace, name: object.name)
      let decision = authorizer.decision(access)
      guard decision.isAllowed else {
        return .forbidden(
          write.resource, object.name, "cannot set an ownerRef on a resource you can't delete: \(decision.reason)")
      }
    }
    for owner in write.blockedOwners {
      guard let resource = owner.resource else {
        return .forbidden(
          write.resource, object.name,
          "cannot set blockOwnerDeletion in this case because the server does not know the kind of the owner "
            + "\(owner.name); leave blockOwnerDeletion out")
      }
      let access = AccessAttributes(
        user: write.user, verb: "update", group: resource.group, version: resource.version,
        resource: resource.plural, subresource: "finalizers",
        namespace: resource.isNamespaced ? object.namespace : "", name: owner.name)
      if authorizer.decision(access).isAllowed { continue }
      return .forbidden(
        write.resource, write.new?.name ?? "",
        "cannot set blockOwnerDeletion in this case because you cannot set finalizers on \(resource.kind) "
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
    write.changesOwners = object.ownerReferences != old?.ownerReferences ?? []
    if write.changesOwners { write.blockedOwners = newlyBlockedOwners(object, old: old) }
    if let refusal = authorizer.refusalToGrant(write) { throw refusal }
  }

  /// Owners whose deletion waits for the object from now on. A namespaced owner is one of the object's own namespace.
  private func newlyBlockedOwners(_ object: KubernetesObject, old: KubernetesObject?) -> [WriteReview.BlockedOwner] {
    let known = Set(old?.ownerReferences ?? [])
    return object.ownerReferences.compactMap { reference in
      guard reference.blocksOwnerDeletion, !known.contains(reference) else { return nil }
      let kind = kinds.find(apiVersion: reference.apiVersion, kind: reference.kind)
      return WriteReview.BlockedOwner(resource: kind.map { kinds.definitions[$0].resource }, name: reference.name)
    }
  }
}
