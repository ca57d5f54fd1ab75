import JSONDocument

/// A refusal of the API: what a `Status` object of kind Failure says (meta/v1), and the error every client call throws.
public struct APIStatus: Error, Sendable, Hashable, CustomStringConvertible {
  /// The machine's word for the failure (`metav1.StatusReason`).
  public enum Reason: String, Sendable, Hashable {
    case badRequest = "BadRequest"
    case unauthorized = "Unauthorized"
    case forbidden = "Forbidden"
    case notFound = "NotFound"
    case alreadyExists = "AlreadyExists"
    case conflict = "Conflict"
    case gone = "Gone"
    case expired = "Expired"
    case invalid = "Invalid"
    case methodNotAllowed = "MethodNotAllowed"
    case notAcceptable = "NotAcceptable"
    case unsupportedMediaType = "UnsupportedMediaType"
    case requestEntityTooLarge = "RequestEntityTooLarge"
    case tooManyRequests = "TooManyRequests"
    case timeout = "Timeout"
    case internalError = "InternalError"
    case serviceUnavailable = "ServiceUnavailable"
    /// The store's disk is full. Kubernetes has no word for it; the name is that of the HTTP status.
    case insufficientStorage = "InsufficientStorage"
    case unknown = "Unknown"

    /// The HTTP status that goes with the reason.
    public var code: Int {
      switch self {
      case .badRequest: 400
      case .unauthorized: 401
      case .forbidden: 403
      case .notFound: 404
      case .methodNotAllowed: 405
      case .notAcceptable: 406
      case .alreadyExists, .conflict: 409
      case .gone, .expired: 410
      case .requestEntityTooLarge: 413
      case .unsupportedMediaType: 415
      case .invalid: 422
      case .tooManyRequests: 429
      case .internalError, .unknown: 500
      case .serviceUnavailable: 503
      case .timeout: 504
      case .insufficientStorage: 507
      }
    }
  }

  /// One field's fault (`metav1.StatusCause`).
  public struct Cause: Sendable, Hashable {
    public enum Kind: String, Sendable {
      case required = "FieldValueRequired"
      case invalid = "FieldValueInvalid"
      case notSupported = "FieldValueNotSupported"
      case duplicate = "FieldValueDuplicate"
      case forbidden = "FieldValueForbidden"
      case typeInvalid = "FieldValueTypeInvalid"
      case tooLong = "FieldValueTooLong"
      case notFound = "FieldValueNotFound"
      /// The asked resourceVersion is ahead of the server's: clients list anew from the newest.
      case resourceVersionTooLarge = "ResourceVersionTooLarge"
    }
    public let kind: Kind
    /// `spec.containers[0].image`
    public let field: String
    public let message: String

    public init(_ kind: Kind, field: String, message: String) {
      self.kind = kind
      self.field = field
      self.message = message
    }
  }

  public var reason: Reason
  public var code: Int
  public var message: String
  public var resource: Resource?
  public var name: String?
  public var causes: [Cause]
  public var retryAfterSeconds: Int?

  public init(
    _ reason: Reason, _ message: String, resource: Resource? = nil, name: String? = nil,
    causes: [Cause] = [], retryAfterSeconds: Int? = nil
  ) {
    self.reason = reason
    self.code = reason.code
    self.message = message
    self.resource = resource
    self.name = name
    self.causes = causes
    self.retryAfterSeconds = retryAfterSeconds
  }

  public var description: String { message }
}

extension APIStatus {
  public static func notFound(_ resource: Resource, _ name: String) -> APIStatus {
    APIStatus(
      .notFound, "\(resource.qualifiedPlural) \"\(name)\" not found", resource: resource, name: name)
  }
  public static func alreadyExists(_ resource: Resource, _ name: String) -> APIStatus {
    APIStatus(
      .alreadyExists, "\(resource.qualifiedPlural) \"\(name)\" already exists", resource: resource, name: name)
  }
  public static func conflict(_ resource: Resource, _ name: String, _ why: String) -> APIStatus {
    APIStatus(
      .conflict, "Operation cannot be fulfilled on \(resource.qualifiedPlural) \"\(name)\": \(why)",
      resource: resource, name: name)
  }
  public static func forbidden(_ resource: Resource, _ name: String, _ why: String) -> APIStatus {
    APIStatus(
      .forbidden, "\(resource.qualifiedPlural) \"\(name)\" is forbidden: \(why)", resource: resource, name: name)
  }
  /// The asked version is not reached yet, and may never be: the store may be an older one.
  ///
  /// client-go finds the cause and lists anew (apimachinery `NewTooLargeResourceVersionError`).
  public static func tooLargeResourceVersion(_ asked: UInt64, current: UInt64) -> APIStatus {
    APIStatus(
      .timeout, "Timeout: Too large resource version: \(asked), current: \(current)",
      causes: [.init(.resourceVersionTooLarge, field: "", message: "Too large resource version")], retryAfterSeconds: 1)
  }
  /// One message over all causes, as kubectl prints it.
  public static func invalid(_ resource: Resource, _ name: String, _ causes: [Cause]) -> APIStatus {
    let list = causes.map { "\($0.field): \($0.message)" }
    let text = list.count == 1 ? list[0] : "[\(list.joined(separator: ", "))]"
    return APIStatus(
      .invalid, "\(resource.kind)\(resource.group.isEmpty ? "" : ".\(resource.group)") \"\(name)\" is invalid: \(text)",
      resource: resource, name: name, causes: causes)
  }
}

extension APIStatus {
  /// The `Status` object on the wire.
  public var json: JSONValue {
    var status: JSONValue = [
      "kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Failure",
      "message": .string(message), "reason": .string(reason.rawValue), "code": JSONValue(code),
    ]
    if let resource {
      // As Kubernetes has it: what is invalid is told by its kind, everything else by the resource.
      status["details"]["kind"] = .string(reason == .invalid ? resource.kind : resource.plural)
      if !resource.group.isEmpty { status["details"]["group"] = .string(resource.group) }
    }
    if let name { status["details"]["name"] = .string(name) }
    if let retryAfterSeconds { status["details"]["retryAfterSeconds"] = JSONValue(retryAfterSeconds) }
    if !causes.isEmpty {
      status["details"]["causes"] = .array(
        causes.map { cause in
          var json: JSONValue = ["reason": .string(cause.kind.rawValue), "message": .string(cause.message)]
          if !cause.field.isEmpty { json["field"] = .string(cause.field) }
          return json
        })
    }
    return status
  }

  /// Reads a `Status` object, or makes one of an answer that is none.
  public init(json: JSONValue, httpStatus: Int) {
    let reason = json["reason"].string.flatMap(Reason.init(rawValue:)) ?? .unknown
    self.init(reason, json["message"].string ?? "the server answered \(httpStatus)")
    code = json["code"].int ?? httpStatus
    name = json["details"]["name"].string
    retryAfterSeconds = json["details"]["retryAfterSeconds"].int
    causes = json["details"]["causes"].elements.map {
      Cause(
        $0["reason"].string.flatMap(Cause.Kind.init(rawValue:)) ?? .invalid,
        field: $0["field"].string ?? "", message: $0["message"].string ?? "")
    }
  }

  public var isNotFound: Bool { reason == .notFound }
  public var isConflict: Bool { reason == .conflict }
  public var isAlreadyExists: Bool { reason == .alreadyExists }
  /// The client should read or list anew: the version it asked for is no longer kept.
  public var isExpired: Bool { reason == .gone || reason == .expired || code == 410 }
}

extension Resource {
  /// `deployments.apps`, or `pods` in the core group: how messages name a resource.
  public var qualifiedPlural: String { group.isEmpty ? plural : "\(plural).\(group)" }
}
