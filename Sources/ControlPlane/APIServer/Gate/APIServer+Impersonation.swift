import KubernetesAPI
import KubernetesClient

extension APIServer {
  /// Who a request is answered as: `user`, or whom they ask to be, if they may `impersonate` that user and each group
  /// (Kubernetes, "User impersonation").
  /// - Throws: `APIStatus` 403 or 400.
  func identity(for request: APIRequest, from user: UserInfo) async throws(APIStatus) -> UserInfo {
    guard let other = request.impersonation else { return user }
    guard !other.user.isEmpty else {
      throw APIStatus(.badRequest, "groups can only be impersonated together with a user: add --as")
    }
    let account = UserInfo.serviceAccountName(other.user)
    try await authorize(
      AccessAttributes(
        user: user, verb: "impersonate", version: "v1", resource: account == nil ? "users" : "serviceaccounts",
        namespace: account?.namespace ?? "", name: account?.name ?? other.user))
    for group in other.groups {
      try await authorize(
        AccessAttributes(user: user, verb: "impersonate", version: "v1", resource: "groups", name: group))
    }
    var groups = other.groups
    if groups.isEmpty, let account {
      return .serviceAccount(namespace: account.namespace, name: account.name)
    }
    // Whoever is asked for is somebody; only nobody is not.
    let state =
      other.user == UserInfo.anonymous.name ? UserInfo.anonymous.groups : [Authenticator.authenticatedGroup]
    if !groups.contains(where: { Self.authenticationGroups.contains($0) }) { groups += state }
    return UserInfo(name: other.user, groups: groups)
  }

  private static let authenticationGroups = [Authenticator.authenticatedGroup] + UserInfo.anonymous.groups
}

extension UserInfo {
  /// Namespace and name of the service account that a user's name stands for.
  static func serviceAccountName(_ user: String) -> (namespace: String, name: String)? {
    let parts = user.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 4, parts[0] == "system", parts[1] == "serviceaccount", !parts[2].isEmpty, !parts[3].isEmpty
    else { return nil }
    return (String(parts[2]), String(parts[3]))
  }
}
