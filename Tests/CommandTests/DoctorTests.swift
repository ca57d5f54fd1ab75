import APIServer
import CertificateAuthority
import Foundation
import JSONDocument
import KubernetesAPI
import Logging
import ObjectStore
import Testing

@testable import nagaya

/// What `nagaya doctor` finds; a running instance is examined in the integration tests.
@Suite struct DoctorTests {
  private func examine(_ directory: String) async throws -> (result: CommandResult, findings: [JSONValue]) {
    let result = await CommandRunner()
      .run(["doctor", "--state-dir", directory, "--run-dir", "\(directory)/run", "-o", "json"])
    return (result, try JSONValue(parsing: result.out)["findings"].elements)
  }

  /// The messages of one check that are no `ok`.
  private func wrong(_ check: String, _ findings: [JSONValue]) -> [String] {
    findings.filter { $0["check"].string == check && $0["level"].string != "ok" }
      .map { "\($0["level"].string ?? ""): \($0["message"].string ?? "")" }
  }

  private func store(_ layout: Layout) throws -> SQLiteObjectStore {
    try FileManager.default.createDirectory(atPath: "\(layout.state)/api", withIntermediateDirectories: true)
    return try SQLiteObjectStore(path: layout.objects)
  }

  private func keys(_ layout: Layout) throws {
    try FileManager.default.createDirectory(
      atPath: "\(layout.pki)/encryption", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    _ = try EncryptionKeys.loadOrCreate(path: layout.encryptionKeys)
  }

  @Test func `where nothing was started it says so, and makes nothing`() async throws {
    try await withTemporaryDirectory { directory in
      let (result, findings) = try await examine("\(directory)/none")
      #expect(wrong("instance", findings).contains { $0.contains("nothing was ever started") }, "\(result.out)")
      #expect(!FileManager.default.fileExists(atPath: "\(directory)/none"))
    }
  }

  @Test func `a stored object that cannot be read is named with the way to repair it`() async throws {
    try await withTemporaryDirectory { directory in
      let layout = Layout(state: directory, run: directory)
      let store = try store(layout)
      try keys(layout)
      let server = try await APIServer(store: store, registry: .standard, logger: Logger(label: "doctor"))
      let client = server.client(as: .component("test"))
      try await client.create(KubernetesObject(.namespaces, name: "demo"), as: .namespaces)
      var (result, findings) = try await examine(directory)
      #expect(wrong("store", findings).isEmpty, "\(result.out)")

      let key = StoreKey(resource: "namespaces", namespace: "", name: "demo")
      #expect(try await store.repair(key, value: Array("{".utf8)))
      (result, findings) = try await examine(directory)
      #expect(result.code == 1)
      #expect(wrong("store", findings).contains { $0.hasPrefix("error:") && $0.contains("demo is set apart") })
      let remedy = findings.first { $0["check"].string == "store" }?["remedy"].string ?? ""
      #expect(remedy.contains(#"nagaya store export namespaces "" demo"#), "\(remedy)")
    }
  }

  @Test func `a missing encryption key is told, and no new one is made`() async throws {
    try await withTemporaryDirectory { directory in
      let layout = Layout(state: directory, run: directory)
      _ = try store(layout)
      let (result, findings) = try await examine(directory)
      #expect(result.code == 1 && wrong("store", findings).contains { $0.contains(layout.encryptionKeys) })
      #expect(!FileManager.default.fileExists(atPath: layout.encryptionKeys))
    }
  }

  @Test func `what cannot be opened at all is an error, not the doctor's end`() async throws {
    try await withTemporaryDirectory { directory in
      let layout = Layout(state: directory, run: directory)
      try keys(layout)
      try FileManager.default.createDirectory(atPath: "\(directory)/api", withIntermediateDirectories: true)
      try Data(repeating: 7, count: 5000).write(to: URL(fileURLWithPath: layout.objects))
      let (result, findings) = try await examine(directory)
      #expect(result.code == 1 && wrong("store", findings).contains { $0.contains(layout.objects) }, "\(result.out)")
    }
  }

  @Test func `certificates that ran out and keys that others can read are told`() async throws {
    try await withTemporaryDirectory { directory in
      let layout = Layout(state: directory, run: directory)
      let long = Date(timeIntervalSinceNow: -400 * 86_400)
      let authorities = try PlatformAuthorities.loadOrCreate(
        directory: layout.pki, serverNames: ["n1"], domain: "localhost", now: long)
      _ = try authorities.serverCertificate(names: ["n1"], now: long)
      var (result, findings) = try await examine(directory)
      #expect(
        wrong("credentials", findings).contains { $0.hasPrefix("error:") && $0.contains("ran out") }, "\(result.out)")

      let key = try #require(
        FileManager.default.enumerator(atPath: layout.pki)?.compactMap { $0 as? String }.first { $0.hasSuffix(".key") })
      try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: "\(layout.pki)/\(key)")
      try Data("no certificate".utf8).write(to: URL(fileURLWithPath: "\(layout.pki)/odd.crt"))
      (result, findings) = try await examine(directory)
      #expect(wrong("credentials", findings).contains { $0.contains(key) && $0.contains("other users") })
      #expect(wrong("credentials", findings).contains { $0.contains("odd.crt") && $0.contains("no certificate") })
      #expect(result.code == 1)
    }
  }

  @Test(arguments: [
    (["--domain", "apps.example.com"], "public suffix"), (["--edge-address", "0.0.0.0"], "visitor's own machine"),
    (["--no-audit"], "no audit log"),
  ]) func `how it was started is judged`(arguments: [String], words: String) async throws {
    try await withTemporaryDirectory { directory in
      let layout = Layout(state: directory, run: directory)
      let up = try Up.parse(["--state-dir", directory, "--run-dir", directory, "--engines", directory] + arguments)
      try SavedArguments(layout).write(up.options)
      let findings = try await examine(directory).findings
      #expect(wrong("site", findings).contains { $0.contains(words) }, "\(findings)")
    }
  }

  @Test func `room on the disk is judged by its share`() {
    func level(_ free: Int64, _ total: Int64) -> Diagnosis.Level {
      Examination.room("bytes", of: "/", free: free, total: total).level
    }
    #expect(level(50, 100) == .ok && level(11, 100) == .warning && level(2, 100) == .error)
    #expect(level(0, 0) == .error && level(-1, .max) == .error && level(.max, .max) == .ok)
    #expect(level(.max, 1) == .ok, "a file system may say anything")
  }

  @Test func `conditions of nodes and levels of namespaces are judged`() {
    var node = KubernetesObject(.nodes, name: "n1")
    node.status = ["conditions": [["type": "Ready", "status": "True"], ["type": "DiskPressure", "status": "False"]]]
    #expect(Examination.nodes([node]).map(\.level) == [.ok])
    node.status = [
      "conditions": [["type": "Ready", "status": "Unknown"], ["type": "DiskPressure", "status": "True"]]
    ]
    #expect(Examination.nodes([node]).map(\.level) == [.error, .warning])
    let open = KubernetesObject(
      .namespaces, name: "open", labels: ["pod-security.kubernetes.io/enforce": "privileged"])
    let shut = KubernetesObject(.namespaces, name: "shut", labels: ["pod-security.kubernetes.io/enforce": "baseline"])
    #expect(Examination.levels([open, shut]).map(\.message).filter { $0.contains("open") }.count == 1)
    #expect(Examination.levels([shut]).isEmpty)
  }
}
