import APIServer
import KubernetesAPI
import KubernetesClient
import Locking
import Testing

@testable import nagaya

/// One verb on one kind.
struct Right: Hashable, Sendable, Comparable, CustomStringConvertible, CustomTestStringConvertible {
  let verb: String
  let group: String
  let resource: String
  var description: String { "\(verb) \(resource)\(group.isEmpty ? "" : ".\(group)")" }
  var testDescription: String { description }

  static func < (one: Right, other: Right) -> Bool { one.description < other.description }

  /// All that a role gives; `*` stands for itself.
  static func all(of role: PartRole) -> Set<Right> {
    Set(
      role.rules.flatMap { rule in
        rule.verbs.flatMap { verb in
          rule.resources.map { Right(verb: verb, group: rule.group, resource: $0) }
        }
      })
  }

  func gives(_ other: Right) -> Bool {
    func covers(_ own: String, _ asked: String) -> Bool { own == "*" || own == asked }
    return verb == other.verb && covers(group, other.group) && covers(resource, other.resource)
  }
}

/// Notes what users ask for, and what they get of it.
final class RightsRecorder: Authorizing {
  private struct State {
    var inner: (any Authorizing)?
    var allowed: [String: Set<Right>] = [:]
    var denied: [String: Set<Right>] = [:]
  }
  private let state = Mutex(State())

  func around(_ inner: any Authorizing) { state.withLock { $0.inner = inner } }
  func allowed(_ user: String) -> Set<Right> { state.withLock { $0.allowed[user] ?? [] } }
  func denied(_ user: String) -> Set<Right> { state.withLock { $0.denied[user] ?? [] } }

  func decide(_ access: AccessAttributes) async -> AccessDecision {
    guard let inner = state.withLock({ $0.inner }) else { return .denied("not yet") }
    let decision = await inner.decide(access)
    guard access.nonResourcePath == nil else { return decision }
    let resource = access.subresource.isEmpty ? access.resource : "\(access.resource)/\(access.subresource)"
    let right = Right(verb: access.verb, group: access.group, resource: resource)
    state.withLock { state in
      if decision.isAllowed {
        _ = state.allowed[access.user.name, default: []].insert(right)
      } else {
        _ = state.denied[access.user.name, default: []].insert(right)
      }
    }
    return decision
  }

  func refusalToGrant(_ write: WriteReview) -> APIStatus? { state.withLock { $0.inner }?.refusalToGrant(write) }
  func namespacesGranted(to user: UserInfo) -> [Set<String>] {
    state.withLock { $0.inner }?.namespacesGranted(to: user) ?? []
  }
}
