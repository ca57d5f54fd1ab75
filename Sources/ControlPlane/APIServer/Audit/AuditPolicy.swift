import KubernetesClient

/// What is written down: writes, and reads of what must not be read by many. Never bodies.
enum AuditPolicy {
  /// Reads of these are written down; they hold or give rights.
  private static let guarded: Set<String> = [
    "secrets", "serviceaccounts", "tokenreviews", "roles", "rolebindings", "clusterroles", "clusterrolebindings",
    "certificatesigningrequests",
  ]
  /// Writes of these come all the time and say nothing of anybody.
  private static let chatter: Set<String> = ["leases", "events", "endpointslices"]
  /// Questions, not changes, although they are created.
  private static let questions: Set<String> = [
    "selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews",
  ]
  private static let readVerbs: Set<String> = ["get", "list", "watch", "head", "options"]

  static func isNoted(_ event: AuditEvent) -> Bool {
    if FrontExchange.publicPaths.contains(event.path) { return false }
    // Whoever is not known, not allowed, or acts as somebody else is of interest whatever was asked.
    if event.status == 401 || event.status == 403 || event.impersonation != nil { return true }
    let isRead = readVerbs.contains(event.verb)
    guard let target = event.target else { return !isRead }
    if guarded.contains(target.plural) || target.subresource == "token" { return true }
    if isRead { return ["exec", "attach", "portforward", "proxy"].contains(target.subresource ?? "") }
    if chatter.contains(target.plural) || questions.contains(target.plural) { return false }
    if target.plural == "nodes", target.subresource == "status" { return false }
    // Asked for by the edge for whatever name a visitor gives, and signed for its own key alone.
    if target.group == LeafCertificates.resource.group, target.plural == LeafCertificates.resource.plural {
      return false
    }
    return true
  }
}
