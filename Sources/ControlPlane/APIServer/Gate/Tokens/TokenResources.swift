import JSONDocument
import KubernetesAPI
import KubernetesClient

/// TokenRequest (`serviceaccounts/S/token`), TokenReview, and what others verify tokens by: `/openid/v1/jwks` and
/// `/.well-known/openid-configuration`.
public struct TokenResources: VirtualResourceHandling {
  private let tokens: AccountTokens
  private let objects: any ObjectReading
  private let authorizer: any Authorizing

  public init(tokens: AccountTokens, objects: any ObjectReading, authorizer: any Authorizing) {
    self.tokens = tokens
    self.objects = objects
    self.authorizer = authorizer
  }

  private static let requests = Resource(
    group: "authentication.k8s.io", version: "v1", plural: "tokenrequests", kind: "TokenRequest", isNamespaced: true)
  private static let reviews = Resource(
    group: "authentication.k8s.io", version: "v1", plural: "tokenreviews", kind: "TokenReview", isNamespaced: false)

  public func respond(to request: APIRequest, from user: UserInfo) async -> APIResponse? {
    let parts = request.path.split(separator: "/").map(String.init)
    do throws(APIStatus) {
      switch parts {
      case ["openid", "v1", "jwks"]:
        return try await document(request, user, tokens.keySet, type: "application/jwk-set+json")
      case [".well-known", "openid-configuration"]:
        let text: JSONValue = [
          "issuer": .string(AccountTokens.issuer), "jwks_uri": .string("\(AccountTokens.issuer)/openid/v1/jwks"),
          "response_types_supported": ["id_token"], "subject_types_supported": ["public"],
          "id_token_signing_alg_values_supported": ["ES256"],
        ]
        return try await document(request, user, text, type: "application/json")
      case ["apis", "authentication.k8s.io", "v1", "tokenreviews"]:
        return try await review(request, user)
      default: break
      }
      guard parts.count == 7, parts[0] == "api", parts[1] == "v1", parts[2] == "namespaces",
        parts[4] == "serviceaccounts", parts[6] == "token"
      else { return nil }
      return try await grant(request, user, namespace: parts[3], account: parts[5])
    } catch {
      return FrontExchange.answer(error)
    }
  }

  private func document(_ request: APIRequest, _ user: UserInfo, _ json: JSONValue, type: String)
    async throws(APIStatus)
    -> APIResponse
  {
    try await authorizer.require(
      AccessAttributes(user: user, verb: request.method.rawValue.lowercased(), nonResourcePath: request.path))
    guard request.method == .get else { throw APIStatus(.methodNotAllowed, "this path can only be read") }
    return APIResponse(status: 200, contentType: type, body: .bytes(json.encoded()))
  }

  // MARK: TokenRequest

  private func grant(_ request: APIRequest, _ user: UserInfo, namespace: String, account name: String)
    async throws(APIStatus) -> APIResponse
  {
    let body = try request.virtualObject(Self.requests)
    try await authorizer.require(
      AccessAttributes(
        user: user, verb: "create", version: "v1", resource: "serviceaccounts", subresource: "token",
        namespace: namespace, name: name))
    guard let account = objects.object(of: .serviceAccounts, namespace: namespace, name: name), !account.isBeingDeleted
    else { throw .notFound(.serviceAccounts, name) }
    var wish = AccountTokens.Wish()
    wish.audiences = body["spec"]["audiences"].elements.compactMap(\.string)
    wish.issuedBy = user.name
    let seconds = body["spec"]["expirationSeconds"]
    if !seconds.isNull {
      guard let value = seconds.int, Int64(value) >= AccountTokens.secondsRange.lowerBound else {
        throw .invalid(
          Self.requests, name,
          [.init(.invalid, field: "spec.expirationSeconds", message: "may not be less than 10 minutes")])
      }
      // As upstream: what is more than the server gives is not refused, the answer says what it is.
      wish.seconds = min(Int64(value), AccountTokens.secondsRange.upperBound)
    }
    guard wish.audiences.count <= 16, wish.audiences.allSatisfy({ (1...253).contains($0.utf8.count) }) else {
      throw .invalid(
        Self.requests, name,
        [.init(.invalid, field: "spec.audiences", message: "at most 16 audiences of 1 to 253 bytes each")])
    }
    wish.bound = try bound(to: body["spec"]["boundObjectRef"], account, user, wish)
    let issued: (token: String, expires: Timestamp)
    do { issued = try tokens.issue(for: account, wish) } catch {
      throw APIStatus(.internalError, "the token could not be signed")
    }
    var answer: JSONValue = [
      "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
      "metadata": ["name": .string(name), "namespace": .string(namespace)], "spec": body["spec"],
    ]
    answer["spec"]["audiences"] = .array(
      (wish.audiences.isEmpty ? [AccountTokens.issuer] : wish.audiences).map { .string($0) })
    answer["spec"]["expirationSeconds"] = JSONValue(Int(wish.seconds))
    answer["status"] = ["token": .string(issued.token), "expirationTimestamp": .string(issued.expires.description)]
    return APIResponse(status: 201, body: .bytes(answer.encoded()))
  }

  /// What the token is to end with. A node agent's tokens are for its own pods, always.
  private func bound(
    to reference: JSONValue, _ account: KubernetesObject, _ user: UserInfo, _ wish: AccountTokens.Wish
  ) throws(APIStatus) -> (kind: String, name: String, uid: String)? {
    guard !reference.isNull else {
      if user.nodeName != nil {
        throw APIStatus(.forbidden, "a node agent asks for tokens bound to pods of its node only")
      }
      return nil
    }
    let (kind, name) = (reference["kind"].string ?? "", reference["name"].string ?? "")
    let resource: Resource
    switch kind {
    case "Pod": resource = .pods
    case "Secret" where user.nodeName == nil: resource = .secrets
    default: throw APIStatus(.badRequest, "cannot bind a token to an object of kind \"\(kind.prefix(40))\"")
    }
    guard let object = objects.object(of: resource, namespace: account.namespace, name: name) else {
      throw .notFound(resource, name)
    }
    if let uid = reference["uid"].string, !uid.isEmpty, uid != object.uid {
      throw .conflict(resource, name, "the UID in the bound object reference (\(uid)) does not match the UID in record")
    }
    if resource == .pods {
      guard object.serviceAccountOfPod == account.name else {
        throw APIStatus(
          .badRequest, "cannot bind a token for service account \"\(account.name)\" to a pod of another one")
      }
      guard !object.isPodEnded else {
        throw APIStatus(.badRequest, "cannot bind a token to pod \"\(name)\", which has ended")
      }
      if let node = user.nodeName {
        guard object.spec["nodeName"].string == node else {
          throw APIStatus(.forbidden, "pod \"\(name)\" is not bound to node \"\(node)\"")
        }
        // What the pod asks for, and nothing else in its name (upstream: ServiceAccountNodeAudienceRestriction).
        guard object.tokenProjections.contains(where: { $0.covers(wish) }) else {
          throw APIStatus(
            .forbidden, "pod \"\(name)\" asks for no token for \(wish.audiences) that holds \(wish.seconds) seconds")
        }
      }
    }
    return (kind, name, object.uid)
  }

  // MARK: TokenReview

  private func review(_ request: APIRequest, _ user: UserInfo) async throws(APIStatus) -> APIResponse {
    let body = try request.virtualObject(Self.reviews)
    try await authorizer.require(
      AccessAttributes(
        user: user, verb: "create", group: Self.reviews.group, version: "v1", resource: Self.reviews.plural))
    let wanted = body["spec"]["audiences"].elements.compactMap(\.string)
    var answer: JSONValue = [
      "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "metadata": [:],
      // The token itself is not sent back: answers are logged more often than questions.
      "spec": ["audiences": .array(wanted.map { .string($0) })],
    ]
    let bearer = body["spec"]["token"].string
      .flatMap { tokens.bearer(of: $0, audiences: wanted.isEmpty ? [AccountTokens.issuer] : wanted) }
    guard let bearer else {
      answer["status"] = ["authenticated": false, "error": "the token is not valid"]
      return APIResponse(status: 201, body: .bytes(answer.encoded()))
    }
    var who: JSONValue = [
      "username": .string(bearer.user.name), "uid": .string(bearer.uid),
      "groups": .array(bearer.user.groups.map { .string($0) }),
    ]
    if let pod = bearer.pod {
      who["extra"] = [
        "authentication.kubernetes.io/pod-name": [.string(pod.name)],
        "authentication.kubernetes.io/pod-uid": [.string(pod.uid)],
      ]
    }
    answer["status"] = [
      "authenticated": true, "user": who, "audiences": .array(bearer.audiences.map { .string($0) }),
    ]
    return APIResponse(status: 201, body: .bytes(answer.encoded()))
  }
}

extension TokenProjection {
  /// Whether a token as wished is one that this source of a pod's volume asks for.
  fileprivate func covers(_ wish: AccountTokens.Wish) -> Bool {
    let isSameAudience =
      isForAPI
      ? wish.audiences.isEmpty || wish.audiences == [Self.apiAudience] : wish.audiences == [audience]
    return isSameAudience && wish.seconds <= seconds
  }
}
