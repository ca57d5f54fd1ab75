import APIServer
import Foundation
import JSONDocument
import KubernetesAPI
import LinuxSystem

/// What `nagaya create user` gave out, and what was taken back: files of the instance, for its administrator alone.
struct UserRecords {
  let layout: Layout

  /// One kubeconfig that was given out.
  struct Issued {
    var user: String
    var groups: [String]
    var issuedBy: String
    var issued: Int64
    var expires: Int64

    init(user: String, groups: [String], issuedBy: String, issued: Int64, expires: Int64) {
      (self.user, self.groups, self.issuedBy, self.issued, self.expires) = (user, groups, issuedBy, issued, expires)
    }

    init?(json: JSONValue) {
      guard let user = json["user"].string, let issued = json["issued"].int, let expires = json["expires"].int else {
        return nil
      }
      self.init(
        user: user, groups: json["groups"].elements.compactMap(\.string), issuedBy: json["issuedBy"].string ?? "",
        issued: Int64(issued), expires: Int64(expires))
    }

    var json: JSONValue {
      [
        "user": .string(user), "groups": .array(groups.map { .string($0) }), "issuedBy": .string(issuedBy),
        "issued": JSONValue(Int(issued)), "expires": JSONValue(Int(expires)),
      ]
    }
  }

  private var issuedPath: String { "\(layout.pki)/clients/issued.json" }
  /// Kept at most; the oldest are forgotten, which takes nothing from revocation.
  private static let limit = 4096

  var issued: [Issued] {
    guard let data = FileManager.default.contents(atPath: issuedPath), let json = try? JSONValue(parsing: Array(data))
    else { return [] }
    return json["issued"].elements.compactMap(Issued.init)
  }

  func record(_ new: Issued, now: Int64 = Timestamp.now.seconds) throws {
    let known = issued.filter { $0.expires > now } + [new]
    let json: JSONValue = ["issued": .array(known.suffix(Self.limit).map(\.json))]
    try DurableFile.write(json.encoded(), to: issuedPath, permissions: 0o600)
  }

  var revocations: Revocations.List {
    get throws {
      guard let list = Revocations.read(layout.revocations) else {
        throw CommandFailure(
          "\(layout.revocations) cannot be read", remedy: "mend or remove it: nobody can log in while it is damaged")
      }
      return list
    }
  }

  /// Takes back what was given until now.
  func revoke(user: String? = nil, account: String? = nil, now: Int64 = Timestamp.now.seconds) throws {
    var list = try revocations
    if let user { list.users[user] = now }
    if let account { list.accounts[account] = now }
    let bytes = list.json.encoded()
    guard bytes.count <= Revocations.limitBytes else {
      throw CommandFailure(
        "the list of revocations is full", remedy: "remove entries older than 730 days from \(layout.revocations)")
    }
    try DurableFile.write(bytes, to: layout.revocations, permissions: 0o600)
  }
}
