import CertificateAuthority
import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import TestSupport
import Testing

@testable import APIServer

/// Tokens that are not, or no longer, what they say.
@Suite("Attacks by tokens of service accounts") struct AccountTokenAttacks {
  private static func object(_ resource: Resource, _ name: String, uid: String) -> KubernetesObject {
    var object = KubernetesObject(resource, namespace: "blue", name: name)
    object.metadata["uid"] = .string(uid)
    return object
  }

  private static var world: (GateObjects, KubernetesObject) {
    let account = object(.serviceAccounts, "robot", uid: "a1")
    var pod = object(.pods, "worker", uid: "p1")
    pod.spec["serviceAccountName"] = "robot"
    pod.spec["nodeName"] = "n1"
    return (GateObjects([(.serviceAccounts, account), (.pods, pod)]), account)
  }

  /// A token whose parts are changed, signed by `keys` if they are given.
  private static func forged(
    _ token: String, header: (inout JSONValue) -> Void = { _ in }, claims: (inout JSONValue) -> Void = { _ in },
    signedBy keys: SigningKeys? = nil
  ) throws -> String {
    let parts = token.split(separator: ".").map(String.init)
    func part(_ index: Int, _ change: (inout JSONValue) -> Void) throws -> String {
      var json = try JSONValue(parsing: try #require(Base64.decodeFromURL(parts[index])))
      change(&json)
      return Base64.encodeForURL(json.encoded())
    }
    let text = "\(try part(0, header)).\(try part(1, claims))"
    guard let keys else { return "\(text).\(parts[2])" }
    return "\(text).\(Base64.encodeForURL(try keys.signing.sign(Array(text.utf8))))"
  }

  static let ways = [
    "no algorithm", "an algorithm of shared secrets", "another user's name", "a later end", "another key's signature",
    "an unknown key", "an empty signature", "cut off", "padded", "expired", "not yet", "another issuer",
    "another audience", "no audience", "the account's deletion", "the account made anew", "the pod's deletion",
    "the pod made anew", "the pod's end", "another pod's name", "a revoked account", "a revoked issuer",
    "a Secret that is gone",
  ]

  @Test("a token that is not what it says opens nothing", arguments: ways) func uses(way: String) async throws {
    let keys = SigningKeys()
    let (objects, account) = Self.world
    let path = "/tmp/nagaya-revoked-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let tokens = AccountTokens(keys: keys, objects: objects, revocations: Revocations(path: path))
    var wish = AccountTokens.Wish()
    wish.bound = ("Pod", "worker", "p1")
    wish.issuedBy = "alice"
    var (token, _) = try tokens.issue(for: account, wish)
    #expect(tokens.bearer(of: token)?.user.name == "system:serviceaccount:blue:robot", "the wall is not closed to all")
    var now = Timestamp.now
    func revoke(_ change: (inout Revocations.List) -> Void) throws {
      var list = Revocations.List()
      change(&list)
      try Data(list.json.encoded()).write(to: URL(fileURLWithPath: path))
    }
    switch way {
    case "no algorithm":
      token = try Self.forged(token, header: { $0["alg"] = "none" })
      token = token.split(separator: ".").prefix(2).joined(separator: ".") + "."
    case "an algorithm of shared secrets":
      token = try Self.forged(token, header: { $0["alg"] = "HS256" }, signedBy: keys)
    case "another user's name":
      token = try Self.forged(token, claims: { $0["sub"] = "system:serviceaccount:kube-system:admin" })
    case "a later end": token = try Self.forged(token, claims: { $0["exp"] = JSONValue(Int(now.seconds) + 1_000_000) })
    case "another key's signature": token = try Self.forged(token, signedBy: SigningKeys())
    case "an unknown key": token = try Self.forged(token, header: { $0["kid"] = "mine" }, signedBy: keys)
    case "an empty signature": token = token.split(separator: ".").prefix(2).joined(separator: ".") + "."
    case "cut off": token.removeLast(4)
    case "padded": token += "="
    case "expired": now = now.adding(seconds: 3600)
    case "not yet": now = now.adding(seconds: -120)
    case "another issuer": token = try Self.forged(token, claims: { $0["iss"] = "https://elsewhere" }, signedBy: keys)
    case "another audience":
      wish.audiences = ["vault"]
      token = try tokens.issue(for: account, wish).0
    case "no audience": token = try Self.forged(token, claims: { $0["aud"] = [] }, signedBy: keys)
    case "the account's deletion": objects.removeAll(.serviceAccounts)
    case "the account made anew":
      objects.removeAll(.serviceAccounts)
      objects.add(.serviceAccounts, Self.object(.serviceAccounts, "robot", uid: "a2"))
    case "the pod's deletion": objects.removeAll(.pods)
    case "the pod made anew":
      objects.removeAll(.pods)
      objects.add(.pods, Self.object(.pods, "worker", uid: "p2"))
    case "the pod's end":
      var ended = try #require(objects.object(of: .pods, namespace: "blue", name: "worker"))
      ended.status["phase"] = "Succeeded"
      objects.removeAll(.pods)
      objects.add(.pods, ended)
    case "another pod's name":
      token = try Self.forged(token, claims: { $0["kubernetes.io"]["pod"]["name"] = "other" }, signedBy: keys)
    case "a revoked account": try revoke { $0.accounts["blue/robot"] = now.seconds }
    case "a revoked issuer": try revoke { $0.users["alice"] = now.seconds }
    default:
      wish.bound = ("Secret", "gone", "s1")
      token = try tokens.issue(for: account, wish).0
    }
    let bearer = tokens.bearer(of: token, now: now)
    let held = try await attempt(Attack(.podWithToken, "a token with \(way)", on: .platformRights)) {
      .check(bearer == nil, bearer.map(\.user.name) ?? "refused")
    }
    #expect(held)
  }

  @Test func `keys are public, named as Kubernetes names them, and last for as long as their tokens`() throws {
    let directory = "/tmp/nagaya-keys-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let day: TimeInterval = 86_400
    let start = Date()
    let first = try SigningKeys.loadOrCreate(directory: directory, now: start)
    #expect(try SigningKeys.loadOrCreate(directory: directory, now: start + 89 * day).signing.id == first.signing.id)
    let second = try SigningKeys.loadOrCreate(directory: directory, now: start + 91 * day)
    #expect(second.signing.id != first.signing.id && second.key(first.signing.id) != nil)
    let third = try SigningKeys.loadOrCreate(directory: directory, now: start + 93 * day)
    #expect(third.signing.id == second.signing.id && third.key(first.signing.id) == nil)
    let set = AccountTokens(keys: third, objects: GateObjects()).keySet["keys"]
    #expect(set.elements.count == 1 && set[0]["kid"].string == third.signing.id && set[0]["alg"] == "ES256")
    #expect(Base64.decodeFromURL(set[0]["x"].string ?? "")?.count == 32)
  }
}
