import JSONDocument
import PlatformHarness
import TestSupport
import Testing

/// An instance whose certificates and roots live for seconds: all are renewed while it runs.
@Suite("Renewal of certificates and roots in a running instance", .serialized)
struct RenewalTests {
  /// Seconds.
  private static let (leaf, root) = (30, 90)

  @Test("certificates and their roots run out and are followed by others, and nothing is started anew for it")
  func renewal() async throws {
    let nagaya = try PlatformInstance(name: "rn")
    do {
      try await nagaya.shell.succeed(
        "nagaya up --detach --log-level debug \(nagaya.flags) --certificate-lifetime \(Self.leaf)s --root-lifetime \(Self.root)s",
        seconds: 180)
      try await follow(nagaya)
      try await nagaya.down()
    } catch {
      Issue.record("\(error)\n\(await nagaya.log())")
    }
    await nagaya.destroy()
  }

  private func follow(_ nagaya: PlatformInstance) async throws {
    let shell = nagaya.shell
    let pki = "\(nagaya.state)/pki"
    try await shell.succeed("nagaya create app hello --image nagaya.local/hello:1 -n demo-dev", seconds: 120)
    func roots(_ name: String) async throws -> String {
      try await shell.succeed("openssl x509 -in \(pki)/\(name)/ca.crt -noout -serial")
    }
    func served(_ port: Int) async throws -> String {
      try await shell.succeed(
        "openssl s_client -connect 127.0.0.1:\(port) </dev/null 2>/dev/null | openssl x509 -noout -serial")
    }
    let node = try await shell.succeed(
      "kubectl get node testnode -o jsonpath='{.status.daemonEndpoints.kubeletEndpoint.Port}'")
    let nodePort = try #require(Int(node))
    let names = ["api", "clients", "edge"]
    var before: [String: String] = [:]
    for name in names { before[name] = try await roots(name) }
    let certificates = [try await served(nagaya.apiPort), try await served(nodePort)]
    let parts = try await Self.processes(nagaya)
    // A watch that is open all the time goes by the certificate that it began with, and everything else by the next ones.
    try await eventually("what the API and the node serve is renewed", within: .seconds(120), every: .milliseconds(500))
    {
      let now = [try await served(nagaya.apiPort), try await served(nodePort)]
      return zip(now, certificates).allSatisfy { $0 != $1 }
    }
    for name in names {
      try await eventually(
        "the root of \(name) is followed by another", within: .seconds(240), every: .milliseconds(500)
      ) {
        try await roots(name) != before[name]
      }
    }
    // The first roots have run out: who has not taken up others is cut off now.
    for name in names {
      try await eventually("the first root of \(name) is over", within: .seconds(180), every: .milliseconds(500)) {
        try await shell(
          "for root in \(pki)/\(name)/previous/*.crt; do openssl x509 -noout -checkend 0 -in $root || exit 0; done; exit 1"
        ).succeeded
      }
    }
    // Pods, nodes, users, visitors: each by what is there now.
    try await eventually("everybody is there", within: .seconds(60), every: .milliseconds(500)) {
      let commands = [
        "kubectl get --raw /readyz", "kubectl logs -n demo-dev -l app.nagaya.dev/name=hello",
        "curl -sf --cacert \(nagaya.authority) --resolve hello.dev.demo.localhost:\(nagaya.edgePort):127.0.0.1 \(nagaya.url("hello"))",
        "kubectl get node testnode | grep -w Ready",
        "kubectl get configmap kube-root-ca.crt -n demo-dev -o yaml | grep -qF \"$(sed -n 2p \(pki)/api/ca.crt)\"",
      ]
      for command in commands where try await !shell(command).succeeded { return false }
      return true
    }
    // A pod that is made now is started by an agent and a server that have renewed everything.
    try await shell.succeed("nagaya create app later --image nagaya.local/hello:1 -n demo-dev", seconds: 120)
    #expect(try await Self.processes(nagaya) == parts, "no part was started anew")
  }

  /// Process and restarts of each part.
  private static func processes(_ nagaya: PlatformInstance) async throws -> [String] {
    let text = try await nagaya.shell.succeed(
      "nagaya status -o json --state-dir \(nagaya.state) --run-dir \(nagaya.run)")
    return try JSONValue(parsing: text)["parts"].elements.map {
      "\($0["name"].string ?? "") \($0["pid"].int ?? 0) \($0["restarts"].int ?? 0)"
    }
  }
}
