import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient

/// One request and its answer, as `audit.k8s.io/v1` has it at level Metadata.
struct AuditEvent: Sendable {
  var identifier: String
  var received: Timestamp
  /// The target as the client sent it.
  var uri: String
  /// The decoded path.
  var path: String
  var method: String
  var isWatch: Bool
  var user: UserInfo?
  var impersonation: Impersonation?
  var sourceAddress: String?
  var userAgent: String?
  var status: Int
  /// Whether the answer goes on after this.
  var isLasting: Bool

  var target: RequestTarget? { RequestTarget(path: path) }

  /// The verb of authorization.
  var verb: String {
    guard let target else { return method.lowercased() }
    switch method {
    case "GET", "HEAD": return target.name != nil ? "get" : isWatch ? "watch" : "list"
    case "POST": return "create"
    case "PUT": return "update"
    case "PATCH": return "patch"
    case "DELETE": return target.name != nil ? "delete" : "deletecollection"
    default: return method.lowercased()
    }
  }

  /// The line with its end. JSON leaves no line end within, whatever a client sent.
  var line: [UInt8] {
    var event: JSONValue = [
      "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": .string(identifier),
      "stage": isLasting ? "ResponseStarted" : "ResponseComplete", "requestURI": .string(Self.redacted(uri)),
      "verb": .string(verb), "requestReceivedTimestamp": .string(received.microTime),
      "stageTimestamp": .string(Timestamp.now.microTime),
      "responseStatus": ["metadata": [:], "code": JSONValue(status)],
    ]
    let user = user ?? .anonymous
    event["user"] = Self.json(user.name, user.groups)
    if let impersonation { event["impersonatedUser"] = Self.json(impersonation.user, impersonation.groups) }
    if let sourceAddress { event["sourceIPs"] = [.string(sourceAddress)] }
    if let userAgent { event["userAgent"] = .string(Self.shortened(userAgent, to: 512)) }
    if let target {
      var object: JSONValue = ["resource": .string(Self.shortened(target.plural, to: 256))]
      object["apiVersion"] = .string(Self.shortened(target.version, to: 64))
      for (key, value) in [
        ("apiGroup", target.group), ("namespace", target.namespace ?? ""), ("name", target.name ?? ""),
        ("subresource", target.subresource ?? ""),
      ] where !value.isEmpty { object[key] = .string(Self.shortened(value, to: 256)) }
      event["objectRef"] = object
    }
    event["annotations"] = ["authorization.k8s.io/decision": status == 401 || status == 403 ? "forbid" : "allow"]
    return event.encoded() + [UInt8(ascii: "\n")]
  }

  private static func json(_ name: String, _ groups: [String]) -> JSONValue {
    [
      "username": .string(shortened(name, to: 256)),
      "groups": .array(groups.prefix(32).map { .string(shortened($0, to: 256)) }),
    ]
  }

  private static func shortened(_ text: String, to bytes: Int) -> String {
    text.utf8.count <= bytes ? text : String(decoding: text.utf8.prefix(bytes), as: UTF8.self) + "…"
  }

  /// A target without what parameters may carry of secrets, and not longer than 2 KiB.
  ///
  /// Names are compared as they mean, not as they are written: `%74oken` is `token`.
  static func redacted(_ uri: String) -> String {
    let parts = uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2 else { return shortened(uri, to: 2048) }
    let query = parts[1].split(separator: "&", omittingEmptySubsequences: false).map { parameter -> String in
      let name = parameter.prefix { $0 != "=" }
      let plain = (String(name).removingPercentEncoding ?? String(name)).lowercased()
      let isSecret = ["token", "secret", "password", "authorization", "credential", "key"].contains {
        plain.contains($0)
      }
      return isSecret && parameter.count > name.count ? "\(name)=REDACTED" : String(parameter)
    }
    return shortened("\(parts[0])?\(query.joined(separator: "&"))", to: 2048)
  }
}
