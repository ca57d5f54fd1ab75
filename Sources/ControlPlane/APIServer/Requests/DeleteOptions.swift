import JSONDocument
import KubernetesAPI
import KubernetesClient

/// `metav1.DeleteOptions`, from the body or the query.
struct DeleteOptions: Sendable, Hashable {
  enum Propagation: String, Sendable {
    case background = "Background"
    case foreground = "Foreground"
    case orphan = "Orphan"
  }

  var gracePeriodSeconds: Int?
  /// `nil`: what the object's finalizers say, background otherwise.
  var propagation: Propagation?
  var uid: String?
  var resourceVersion: String?
  var isDryRun = false

  init() {}

  init(_ request: APIRequest, limits: JSONLimits, schemas: SchemaCatalog) throws(APIStatus) {
    var json: JSONValue = [:]
    if !request.body.isEmpty {
      json = try RequestBody(request, limits: limits, schemas: schemas).json
      guard case .object = json else {
        throw APIStatus(.badRequest, "the request body must be DeleteOptions, not \(json.typeName)")
      }
    }
    try self.init(json: json, request)
  }

  init(json: JSONValue, _ request: APIRequest) throws(APIStatus) {
    if !json["gracePeriodSeconds"].isNull {
      guard let seconds = json["gracePeriodSeconds"].int, seconds >= 0 else {
        throw APIStatus(
          .invalid, "invalid DeleteOptions: gracePeriodSeconds: must be a whole number greater than or equal to 0")
      }
      gracePeriodSeconds = min(seconds, Int(Int32.max))
    }
    gracePeriodSeconds = try request.number("gracePeriodSeconds").map { min($0, Int(Int32.max)) } ?? gracePeriodSeconds
    let policy = request.parameter("propagationPolicy") ?? json["propagationPolicy"].string
    if let policy, !policy.isEmpty {
      guard let value = Propagation(rawValue: policy) else {
        throw APIStatus(
          .invalid,
          "invalid DeleteOptions: propagationPolicy \"\(policy.prefix(40))\": use Foreground, Background or Orphan")
      }
      propagation = value
    } else if json["orphanDependents"].bool == true || request.parameter("orphanDependents") == "true" {
      propagation = .orphan
    }
    uid = json["preconditions"]["uid"].string
    resourceVersion = json["preconditions"]["resourceVersion"].string
    let isDry = try request.isDryRun()
    isDryRun = isDry || json["dryRun"].elements.contains("All")
  }
}
