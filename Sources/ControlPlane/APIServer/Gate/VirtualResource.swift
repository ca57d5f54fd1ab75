import JSONDocument
import KubernetesAPI
import KubernetesClient

/// Answers requests for resources that are computed, not stored (access reviews, for instance).
/// The server asks each of them before its own resources, after authentication and before authorization.
public protocol VirtualResourceHandling: Sendable {
  /// The answer, or `nil` if the request is none of this handler's.
  func respond(to request: APIRequest, from user: UserInfo) async -> APIResponse?
}

extension Authorizing {
  /// - Throws: `APIStatus` 403 if it is not allowed.
  func require(_ access: AccessAttributes) async throws(APIStatus) {
    let decision = await decide(access)
    guard !decision.isAllowed else { return }
    throw APIStatus(.forbidden, "forbidden: \(access.denial)\(decision.reason.isEmpty ? "" : ": \(decision.reason)")")
  }
}

extension APIRequest {
  /// The object of a request that creates one which is answered and not stored.
  /// - Throws: `APIStatus` 405 for other methods, 400 for what is no such object.
  func virtualObject(_ resource: Resource) throws(APIStatus) -> JSONValue {
    guard method == .post else { throw APIStatus(.methodNotAllowed, "\(resource.plural) can only be created") }
    let json = try RequestBody(self, limits: JSONLimits(), schemas: .standard).json
    guard case .object = json, json["kind"].string.map({ $0 == resource.kind }) ?? true else {
      throw APIStatus(.badRequest, "the body must be a \(resource.kind)")
    }
    return json
  }
}
