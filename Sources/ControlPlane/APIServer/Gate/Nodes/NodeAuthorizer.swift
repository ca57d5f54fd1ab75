import JSONDocument
import KubernetesAPI
import KubernetesClient

/// Decides what node agents may: their role, cut down to their own node and to what the pods bound to it name (Kubernetes,
/// "Using Node Authorization", with field selectors honoured), and holds other parts to what they list. Everybody else is
/// decided by roles alone.
///
/// Secrets, config maps, claims and accounts are read one by one; an agent never lists them, and lists volumes of its own node
/// only. It writes the status of claims whose volumes it has mounted (`NodeRestriction` says what of it).
public final class NodeAuthorizer: Authorizing {
  public let roles: RBACAuthorizer
  private let graph: NodeGraph
  private let lists: [String: ListLimits]
  private let volumeLabel: String?

  /// - Parameters:
  ///   - lists: what parts of the platform may list, by their users' names.
  ///   - volumeLabel: the label of persistent volumes that says on which node they lie: an agent may list and watch those of
  ///     its own node, so that it learns of their growth.
  public init(
    roles: RBACAuthorizer, objects: any ObjectReading, lists: [String: ListLimits] = [:], volumeLabel: String? = nil
  ) {
    self.roles = roles
    self.lists = lists
    self.volumeLabel = volumeLabel
    graph = NodeGraph(objects: objects)
  }

  public func refusalToGrant(_ write: WriteReview) -> APIStatus? { roles.refusalToGrant(write) }

  public func namespacesGranted(to user: UserInfo) -> [Set<String>] { roles.namespacesGranted(to: user) }

  public func decide(_ access: AccessAttributes) async -> AccessDecision {
    guard access.user.groups.contains(UserInfo.nodesGroup), !access.user.groups.contains(UserInfo.mastersGroup) else {
      if let refusal = lists[access.user.name]?.refusal(of: access) { return .denied(refusal) }
      return await roles.decide(access.withoutSelectors)
    }
    guard let node = access.user.nodeName else {
      return .denied("a member of \(UserInfo.nodesGroup) must be a node: system:node:NAME")
    }
    guard access.nonResourcePath == nil else { return await roles.decide(access) }
    switch (access.group, access.resource) {
    case ("", "secrets"), ("", "configmaps"), ("", "persistentvolumeclaims"), ("", "persistentvolumes"),
      ("", "serviceaccounts"):
      return reference(access, node)
    case ("", "pods"):
      if let refusal = pods(access, node) { return .denied(refusal) }
    case ("", "nodes"):
      guard
        access.name == node || (access.name.isEmpty && access.verb == "create") || isOwn(access, "metadata.name", node)
      else { return .denied("a node agent may reach its own node only") }
    case ("coordination.k8s.io", "leases"):
      guard access.namespace == "kube-node-lease",
        access.name == node || (access.name.isEmpty && access.verb == "create")
      else { return .denied("a node agent may reach its own lease in kube-node-lease only") }
    case ("storage.k8s.io", "csinodes"):
      guard access.name == node || (access.name.isEmpty && access.verb == "create") else {
        return .denied("a node agent may reach its own CSINode only")
      }
    default: break
    }
    return await roles.decide(access.withoutSelectors)
  }

  /// Why an agent may not do this to pods.
  private func pods(_ access: AccessAttributes, _ node: String) -> String? {
    switch access.verb {
    case "list", "watch":
      return isOwn(access, "spec.nodeName", node)
        ? nil : "a node agent may list and watch pods of its own node only, by a field selector on spec.nodeName"
    default:
      return graph.isBound(pod: access.name, namespace: access.namespace, to: node)
        ? nil : "no relationship found between node \"\(node)\" and this object"
    }
  }

  private func isOwn(_ access: AccessAttributes, _ field: String, _ node: String) -> Bool {
    ["list", "watch"].contains(access.verb)
      && access.fieldSelector.split(separator: ",").contains { $0 == "\(field)=\(node)" || $0 == "\(field)==\(node)" }
  }

  private func isOfOwnVolumes(_ access: AccessAttributes, _ node: String) -> Bool {
    guard let volumeLabel, ["list", "watch"].contains(access.verb), access.name.isEmpty else { return false }
    return (try? LabelSelector(parsing: access.labelSelector))?.requirements.contains(.isIn(volumeLabel, [node]))
      ?? false
  }

  private func reference(_ access: AccessAttributes, _ node: String) -> AccessDecision {
    if access.resource == "persistentvolumes", isOfOwnVolumes(access, node) {
      return .allowed("volumes of node \"\(node)\"")
    }
    let isGrowth =
      access.resource == "persistentvolumeclaims" && access.subresource == "status"
      && ["update", "patch"].contains(access.verb)
    let isToken = access.resource == "serviceaccounts" && access.subresource == "token" && access.verb == "create"
    guard isToken || isGrowth || (access.verb == "get" && access.subresource.isEmpty), !access.name.isEmpty else {
      return .denied("a node agent may only get \(access.resource) that pods of its node name")
    }
    return graph.names(
      isToken ? "serviceaccounts/token" : access.resource, access.name, namespace: access.namespace, node: node)
      ? .allowed("named by a pod of node \"\(node)\"")
      : .denied("no relationship found between node \"\(node)\" and this object")
  }
}
