import Foundation
import Testing

@testable import KubernetesClient

@Suite struct KubeconfigTests {
  private struct Directory {
    let path = "/tmp/nagaya-kubeconfig-\(UUID().uuidString)"
    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
    func remove() { try? FileManager.default.removeItem(atPath: path) }
    func write(_ text: String, _ name: String) throws -> String {
      try FileManager.default.createDirectory(
        at: URL(fileURLWithPath: "\(path)/\(name)").deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
      return "\(path)/\(name)"
    }
  }

  private static func text(_ name: String, server: String = "https://127.0.0.1:6443", user: String = "token: secret")
    -> String
  {
    """
    apiVersion: v1
    kind: Config
    current-context: \(name)
    clusters:
    - name: \(name)
      cluster:
        server: \(server)
        certificate-authority: pki/ca.crt
    users:
    - name: \(name)
      user:
        \(user)
    contexts:
    - name: \(name)
      context: {cluster: \(name), user: \(name), namespace: team}
    """
  }

  @Test func whatIsWrittenIsReadAgainAndForItsOwnerAlone() throws {
    let directory = try Directory()
    defer { directory.remove() }
    var config = Kubeconfig(
      name: "nagaya", cluster: .init(server: "https://[::1]:6443", authority: .inline(Array("CA\n".utf8))),
      user: .init(
        clientCertificate: .inline([1, 2, 255]), clientKey: .file("admin.key"), token: .inline(Array("1e5".utf8))),
      namespace: "demo-dev")
    config.contexts["other"] = .init(cluster: "nagaya", user: "nagaya")
    let path = "\(directory.path)/new/config"
    try config.write(to: path)
    try config.write(to: path)
    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect(mode == 0o600)
    #expect(try FileManager.default.contentsOfDirectory(atPath: "\(directory.path)/new") == ["config"])
    let read = try #require(try Kubeconfig.read(path))
    #expect(read.json == config.json)
    #expect(read.users["nagaya"]?.token == .inline(Array("1e5".utf8)))
    #expect(read.contexts["nagaya"]?.namespace == "demo-dev")
  }

  @Test func theFlagGoesBeforeTheVariableBeforeTheHomeBeforeTheFallback() throws {
    let directory = try Directory()
    defer { directory.remove() }
    let flag = try directory.write(Self.text("flag"), "flag")
    let first = try directory.write(Self.text("first"), "first")
    let second = try directory.write(Self.text("second"), "second")
    let fallback = try directory.write(Self.text("fallback"), "fallback")
    let empty = "\(directory.path)/nowhere"
    func current(_ explicit: String?, _ environment: [String: String]) throws -> String {
      try Kubeconfig.load(explicit: explicit, fallback: fallback, environment: environment).currentContext
    }
    let variable = ["KUBECONFIG": "\(empty):\(first):\(second)", "HOME": directory.path]
    #expect(try current(flag, variable) == "flag")
    #expect(try current(nil, variable) == "first")
    let merged = try Kubeconfig.load(environment: variable)
    #expect(merged.contexts.keys.sorted() == ["first", "second"])
    #expect(try current(nil, ["HOME": directory.path]) == "fallback")
    _ = try directory.write(Self.text("home"), ".kube/config")
    #expect(try current(nil, ["HOME": directory.path]) == "home")
    let none = #expect(throws: KubeconfigError.self) { try Kubeconfig.load(environment: ["KUBECONFIG": empty]) }
    #expect(none?.description.contains("nagaya up") == true && none?.description.contains(empty) == true)
    #expect(throws: KubeconfigError.unreadable(path: empty, reason: "no such file")) {
      try Kubeconfig.load(explicit: empty, environment: [:])
    }
  }

  @Test func filesAreReadRelativeToTheKubeconfig() throws {
    let directory = try Directory()
    defer { directory.remove() }
    _ = try directory.write("AUTHORITY", "pki/ca.crt")
    _ = try directory.write("from-file\n", "token")
    let path = try directory.write(Self.text("x", server: "https://api.test:6443/", user: "tokenFile: token"), "config")
    let connection = try Kubeconfig.load(explicit: path).connection()
    #expect(connection.server == "https://api.test:6443")
    #expect(connection.authority == Array("AUTHORITY".utf8))
    #expect(connection.token == "from-file")
    #expect(connection.namespace == "team")
    #expect(connection.origin == "context \"x\" of \(path)")
  }

  @Test(arguments: [
    ("kind: Pod", "kind is \"Pod\""), ("- a", "mapping"), ("a: [", "invalid YAML"),
    ("users: [{user: {}}]", "has no name"),
    ("clusters: [{name: c, cluster: {certificate-authority-data: '***'}}]", "not base64"),
  ])
  func whatIsNoKubeconfigIsRefusedByNameOfTheFile(text: String, message: String) throws {
    let error = #expect(throws: KubeconfigError.self) { try Kubeconfig(yaml: text, path: "/x/config") }
    #expect(error?.description.contains("/x/config") == true)
    #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
  }

  @Test(arguments: [
    ("", "https://x", "token: t", "no current-context"),
    ("absent", "https://x", "token: t", "has no context \"absent\"; it has c"),
    ("c", "127.0.0.1:6443", "token: t", "not an https URL"),
    ("c", "https://x:1", "exec: {command: aws}", "authenticates by exec"),
    ("c", "https://x:1", "client-certificate: none.crt", "none.crt"),
  ])
  func aContextThatLeadsNowhereIsExplained(context: String, server: String, user: String, message: String) throws {
    let text = Self.text("c", server: server, user: user).replacingOccurrences(
      of: "    certificate-authority: pki/ca.crt\n", with: "")
    var config = try Kubeconfig(yaml: text, path: "/x/config")
    config.currentContext = context
    let error = #expect(throws: KubeconfigError.self) { try config.connection() }
    #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
    #expect(error?.description.contains("/x/") == true)
  }
}
