import JSONDocument
import KubernetesAPI
import KubernetesClient

/// The computed resources by which users ask what they may (`authorization.k8s.io/v1`) and who they are
/// (`authentication.k8s.io/v1`): `kubectl auth can-i`, `auth can-i --list`, `auth whoami`.
public struct AccessReviews: VirtualResourceHandling {
  private let authorizer: any Authorizing

  /// - Parameter authorizer: decides what is asked; rules can be listed if it is an `RBACAuthorizer`.
  public init(authorizer: any Authorizing) { self.authorizer = authorizer }

  /// What the reviews are, for discovery.
  public static let resources: [Resource] = [
    review("selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    review("subjectaccessreviews", "SubjectAccessReview"),
    review("localsubjectaccessreviews", "LocalSubjectAccessReview", isNamespaced: true),
    review("selfsubjectrulesreviews", "SelfSubjectRulesReview"),
    Resource(
      group: "authentication.k8s.io", version: "v1", plural: "selfsubjectreviews", kind: "SelfSubjectReview",
      isNamespaced: false),
  ]

  private static func review(_ plural: String, _ kind: String, isNamespaced: Bool = false) -> Resource {
    Resource(group: "authorization.k8s.io", version: "v1", plural: plural, kind: kind, isNamespaced: isNamespaced)
  }

  public func respond(to request: APIRequest, from user: UserInfo) async -> APIResponse? {
    let parts = request.path.split(separator: "/").map(String.init)
    guard parts.count == 4 || parts.count == 6, parts[0] == "apis", let plural = parts.last,
      let resource = Self.resources.first(where: {
        $0.group == parts[1] && $0.version == parts[2] && $0.plural == plural && $0.isNamespaced == (parts.count == 6)
      }), parts.count == 4 || parts[3] == "namespaces"
    else { return nil }
    guard request.method == .post else {
      return Self.answer(APIStatus(.methodNotAllowed, "\(resource.plural) can only be created"))
    }
    do throws(APIStatus) {
      let namespace = parts.count == 6 ? parts[4] : ""
      // Answers are JSON, whatever the question came in.
      _ = try ResponseForm(accept: request.accept)
      let review = try await respond(to: Self.body(of: request, resource), resource, namespace, user)
      return APIResponse(status: 201, body: .bytes(review.encoded()))
    } catch {
      return Self.answer(error)
    }
  }

  private static func answer(_ status: APIStatus) -> APIResponse { FrontExchange.answer(status) }

  /// Bytes that a review may have.
  private static let maximumBytes = 256 << 10

  private static func body(of request: APIRequest, _ resource: Resource) throws(APIStatus) -> JSONValue {
    // The answer repeats the question, so the question is kept short, and only what it has to say is repeated.
    let limits = JSONLimits(depth: 20, bytes: maximumBytes, values: 10_000)
    let body = try RequestBody(request, limits: limits, schemas: .standard).json
    let area = resource.group.prefix { $0 != "." }
    let json =
      ObjectValidator(catalog: .standard).prune(body, as: "io.k8s.api.\(area).v1.\(resource.kind)").pruned ?? body
    guard case .object = json else { throw APIStatus(.badRequest, "the body must be an object") }
    guard json["kind"].string.map({ $0 == resource.kind }) ?? true else {
      throw APIStatus(.badRequest, "the body's kind is not \(resource.kind)")
    }
    return json
  }

  private func respond(to body: JSONValue, _ resource: Resource, _ namespace: String, _ user: UserInfo)
    async throws(APIStatus) -> JSONValue
  {
    var review = body
    review["apiVersion"] = .string(resource.apiVersion)
    review["kind"] = .string(resource.kind)
    if review["metadata"].isNull { review["metadata"] = [:] }
    switch resource.plural {
    case "selfsubjectreviews":
      try await require("create", resource, "", user)
      review.remove("spec")
      review["status"] = ["userInfo": ["username": .string(user.name), "groups": Self.array(user.groups)]]
    case "selfsubjectrulesreviews":
      try await require("create", resource, "", user)
      review["status"] = rules(of: user, namespace: body["spec"]["namespace"].string ?? "")
    case "selfsubjectaccessreviews":
      try await require("create", resource, "", user)
      review["status"] = try await decision(body["spec"], user, resource)
    default:
      try await require("create", resource, namespace, user)
      let spec = body["spec"]
      let groups = spec["groups"].elements.compactMap(\.string)
      guard spec["user"].string?.isEmpty == false || !groups.isEmpty else {
        throw .invalid(
          resource, "",
          [.init(.required, field: "spec.user", message: "at least one of user or group must be specified")])
      }
      if resource.isNamespaced, spec["resourceAttributes"]["namespace"].string != namespace {
        throw .invalid(
          resource, "",
          [
            .init(
              .invalid, field: "spec.resourceAttributes.namespace",
              message: "must be the request's namespace \"\(namespace)\"")
          ])
      }
      review["status"] = try await decision(
        spec, UserInfo(name: spec["user"].string ?? "", groups: groups), resource)
    }
    return review
  }

  /// `SubjectAccessReviewStatus` for the attributes of a review's spec.
  private func decision(_ spec: JSONValue, _ user: UserInfo, _ resource: Resource) async throws(APIStatus) -> JSONValue
  {
    let (attributes, path) = (spec["resourceAttributes"], spec["nonResourceAttributes"])
    guard attributes.isNull != path.isNull else {
      throw .invalid(
        resource, "",
        [
          .init(
            .invalid, field: "spec.resourceAttributes",
            message: "exactly one of nonResourceAttributes or resourceAttributes must be specified")
        ])
    }
    func text(_ key: String) -> String { attributes[key].string ?? "" }
    let access =
      attributes.isNull
      ? AccessAttributes(
        user: user, verb: path["verb"].string ?? "", nonResourcePath: path["path"].string ?? "")
      : AccessAttributes(
        user: user, verb: text("verb"), group: text("group"), version: text("version"), resource: text("resource"),
        subresource: text("subresource"), namespace: text("namespace"), name: text("name"))
    let decision = await authorizer.decide(access)
    // A denial needs no reason here: the question is the whole of it.
    return decision.isAllowed ? ["allowed": true, "reason": .string(decision.reason)] : ["allowed": false]
  }

  /// `SubjectRulesReviewStatus`.
  private func rules(of user: UserInfo, namespace: String) -> JSONValue {
    let rules = ((authorizer as? NodeAuthorizer)?.roles ?? authorizer as? RBACAuthorizer)?
      .rules(of: user, namespace: namespace)
    let known = rules ?? []
    return [
      "incomplete": .bool(rules == nil),
      "resourceRules": .array(known.filter { !$0.resources.isEmpty }.map(\.json)),
      "nonResourceRules": .array(known.filter { !$0.nonResourceURLs.isEmpty }.map(\.json)),
    ]
  }

  private func require(_ verb: String, _ resource: Resource, _ namespace: String, _ user: UserInfo)
    async throws(APIStatus)
  {
    let access = AccessAttributes(
      user: user, verb: verb, group: resource.group, version: resource.version, resource: resource.plural,
      namespace: namespace)
    guard await authorizer.decide(access).isAllowed else {
      throw APIStatus(.forbidden, "\(resource.qualifiedPlural) is forbidden: \(access.denial)", resource: resource)
    }
  }

  private static func array(_ values: [String]) -> JSONValue { .array(values.map { .string($0) }) }
}
