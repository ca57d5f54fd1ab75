import KubernetesAPI
import KubernetesClient

/// What somebody wants to do: the attributes that authorization looks at (`SubjectAccessReviewSpec`).
public struct AccessAttributes: Sendable, Hashable {
  public var user: UserInfo
  /// get, list, watch, create, update, patch, delete, deletecollection; the HTTP method in lower case
  /// for paths that are no resource.
  public var verb: String
  /// Empty for the core group.
  public var group: String
  public var version: String
  /// Plural; empty for paths that are no resource.
  public var resource: String
  /// Empty for the object itself.
  public var subresource: String
  /// Empty: all namespaces, or an object of the cluster.
  public var namespace: String
  /// Empty: no single object is meant.
  public var name: String
  /// `/version`; `nil` for resources.
  public var nonResourcePath: String?
  /// What a list or watch is narrowed to; known of requests of node agents alone, who may not list more than is theirs.
  public var fieldSelector: String
  /// The same of labels; known of requests of the platform's parts alone.
  public var labelSelector: String

  public init(
    user: UserInfo, verb: String, group: String = "", version: String = "", resource: String = "",
    subresource: String = "", namespace: String = "", name: String = "", nonResourcePath: String? = nil,
    fieldSelector: String = "", labelSelector: String = ""
  ) {
    self.user = user
    self.verb = verb
    self.group = group
    self.version = version
    self.resource = resource
    self.subresource = subresource
    self.namespace = namespace
    self.name = name
    self.nonResourcePath = nonResourcePath
    self.fieldSelector = fieldSelector
    self.labelSelector = labelSelector
  }
}

/// What authorization found.
public struct AccessDecision: Sendable, Hashable {
  public var isAllowed: Bool
  /// Which rule allowed it, or why not; shown to the user.
  public var reason: String

  public init(isAllowed: Bool, reason: String = "") {
    self.isAllowed = isAllowed
    self.reason = reason
  }

  public static func allowed(_ reason: String = "") -> AccessDecision { .init(isAllowed: true, reason: reason) }
  public static func denied(_ reason: String = "") -> AccessDecision { .init(isAllowed: false, reason: reason) }
}

/// Decides who may do what.
public protocol Authorizing: Sendable {
  func decide(_ access: AccessAttributes) async -> AccessDecision

  /// Whether a write gives away rights that its user does not hold: asked for every object that is created or changed.
  ///
  /// There is no default, so that an authorizer around another one cannot forget to pass the question on: without an
  /// answer whoever may write roles could make themselves administrator.
  /// - Returns: the refusal; `nil` if the write grants nothing, or nothing beyond what the user holds.
  func refusalToGrant(_ write: WriteReview) -> APIStatus?

  /// The namespaces in which somebody was given rights, by name or by a group; what holds in the whole cluster does not
  /// count. Says whose share of the server their requests are, so it is asked for every request and must be cheap.
  func namespacesGranted(to user: UserInfo) -> [Set<String>]
}

/// Allows everything: for tests, and for components that ask before themselves.
public struct AllowAll: Authorizing {
  public init() {}
  public func decide(_ access: AccessAttributes) async -> AccessDecision { .allowed("everything is allowed") }
  public func refusalToGrant(_ write: WriteReview) -> APIStatus? { nil }
  public func namespacesGranted(to user: UserInfo) -> [Set<String>] { [] }
}
