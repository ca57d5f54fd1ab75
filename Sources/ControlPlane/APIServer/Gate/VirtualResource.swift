import KubernetesClient

/// Answers requests for resources that are computed, not stored (access reviews, for instance).
/// The server asks each of them before its own resources, after authentication and before authorization.
public protocol VirtualResourceHandling: Sendable {
  /// The answer, or `nil` if the request is none of this handler's.
  func respond(to request: APIRequest, from user: UserInfo) async -> APIResponse?
}
