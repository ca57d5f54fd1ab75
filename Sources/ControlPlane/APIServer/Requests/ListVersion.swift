import KubernetesAPI
import KubernetesClient

/// Which state of a kind a list or a watch asks for: `resourceVersion`, `resourceVersionMatch`, `sendInitialEvents`.
///
/// Source: kubernetes.io, "API concepts", "Resource versions"; the words of refusals are those of apimachinery's
/// `ValidateListOptions`.
struct ListVersion: Sendable, Hashable {
  enum Match: String, Sendable {
    case exact = "Exact"
    case notOlderThan = "NotOlderThan"
  }

  /// `nil`: the newest. 0: any, which here is the newest too.
  var revision: UInt64?
  var match: Match?

  /// Of a list.
  /// - Throws: `APIStatus` 422 for what does not go together, 400 for a version beside a continue token.
  init(_ request: APIRequest) throws(APIStatus) {
    revision = try request.revision("resourceVersion")
    let isContinued = Self.isGiven("continue", request)
    var faults: [APIStatus.Cause] = []
    if let text = request.parameter("resourceVersionMatch"), !text.isEmpty {
      match = Match(rawValue: text)
      if revision == nil {
        faults.append(
          Self.forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided")
        )
      }
      if isContinued {
        faults.append(
          Self.forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided"))
      }
      if match == nil {
        faults.append(Self.notSupported(text, #""Exact", "NotOlderThan", """#))
      }
      if match == .exact, revision == 0 {
        faults.append(
          Self.forbidden(
            "resourceVersionMatch", #"resourceVersionMatch "exact" is forbidden for resourceVersion "0""#))
      }
    }
    if request.parameter("sendInitialEvents") != nil {
      faults.append(Self.forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    }
    try Self.check(faults)
    if isContinued, let revision, revision != 0 {
      throw APIStatus(.badRequest, "specifying resource version is not allowed when using continue")
    }
    if isContinued { revision = nil }
  }

  /// Of a watch.
  /// - Throws: `APIStatus` 422 for what does not go together.
  init(watch request: APIRequest) throws(APIStatus) {
    revision = try request.revision("resourceVersion")
    let text = request.parameter("resourceVersionMatch") ?? ""
    let sendsInitialEvents = request.parameter("sendInitialEvents") != nil
    match = Match(rawValue: text)
    var faults: [APIStatus.Cause] = []
    if sendsInitialEvents, match != .notOlderThan {
      faults.append(
        Self.forbidden(
          "resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"))
    }
    if !text.isEmpty {
      if !sendsInitialEvents {
        faults.append(
          Self.forbidden(
            "resourceVersionMatch", "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"))
      }
      if match != .notOlderThan { faults.append(Self.notSupported(text, #""NotOlderThan""#)) }
      if Self.isGiven("continue", request) {
        faults.append(
          Self.forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided"))
      }
    }
    try Self.check(faults)
  }

  private static func isGiven(_ name: String, _ request: APIRequest) -> Bool {
    !(request.parameter(name) ?? "").isEmpty
  }

  private static func forbidden(_ field: String, _ why: String) -> APIStatus.Cause {
    .init(.forbidden, field: field, message: "Forbidden: \(why)")
  }

  private static func notSupported(_ text: String, _ supported: String) -> APIStatus.Cause {
    .init(
      .notSupported, field: "resourceVersionMatch",
      message: "Unsupported value: \"\(text.prefix(40))\": supported values: \(supported)")
  }

  private static func check(_ faults: [APIStatus.Cause]) throws(APIStatus) {
    guard faults.isEmpty else { throw APIStatus.invalid(options, "", faults) }
  }

  private static let options = Resource(
    group: "meta.k8s.io", version: "v1", plural: "listoptions", kind: "ListOptions", isNamespaced: false)
}
