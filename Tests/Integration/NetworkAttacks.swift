import Foundation
import JSONDocument
import PlatformHarness
import TestSupport
import Testing

extension WholePlatform {
  /// What a program in an ordinary pod of a tenant reaches: tenants `netred` (environments dev, test, and apart) and `netblue`.
  @Suite("Attacks from a pod")
  struct NetworkAttacks {
    private struct Try {
      let way: String
      let word: String
      let target: Attack.Target
      /// It is meant to pass: what shows that the others could have.
      var isMeant = false
    }

    private func pod(_ name: String, _ namespace: String, image: String, command: [String] = []) -> String {
      let words = JSONValue.array(command.map { .string($0) })
      return """
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "\(name)", "namespace": "\(namespace)"},
         "spec": {"terminationGracePeriodSeconds": 1, "containers": [{"name": "main", "image": "\(image)",
          "imagePullPolicy": "Never", "command": \(String(decoding: words.encoded(), as: UTF8.self))}]}}
        """
    }

    private func create(_ shell: Shell, _ manifest: String) async throws {
      let path = "\(try running().directory)/pod.json"
      try Data(manifest.utf8).write(to: URL(fileURLWithPath: path))
      try await shell.succeed("kubectl create -f \(path)")
    }

    private func address(_ shell: Shell, _ name: String, _ namespace: String) async throws -> String {
      try await shell.succeed(
        "kubectl wait pod/\(name) -n \(namespace) --for=condition=Ready --timeout=60s", seconds: 90)
      return try await shell.succeed("kubectl get pod \(name) -n \(namespace) -o jsonpath={.status.podIP}")
    }

    /// Runs the tries in one pod.
    /// - Returns: what it said of each.
    private func run(_ shell: Shell, _ name: String, _ tries: [Try]) async throws -> [String] {
      try await create(
        shell, pod(name, "netred-dev", image: NetworkProbe.image, command: ["/probe"] + tries.map(\.word)))
      // Each try that is dropped and not refused waits for its own time.
      try await eventually("\(name) has tried everything", within: .seconds(180), every: .milliseconds(200)) {
        try await shell("kubectl logs \(name) -n netred-dev").out.contains("done")
      }
      let log = try await shell.succeed("kubectl logs \(name) -n netred-dev")
      return log.split(separator: "\n").map { String($0.drop { $0 != " " }.dropFirst()) }
    }

    @Test("a pod reaches its environment, the edge it is meant to, and nothing else")
    func reach() async throws {
      let nagaya = try running()
      let shell = nagaya.shell
      let archive = try await NetworkProbe.pack(in: nagaya.directory, with: shell)
      try await shell.succeed("nagaya image load \(archive) --state-dir \(nagaya.state) --run-dir \(nagaya.run)")
      try await shell.succeed("nagaya create tenant netred --environment dev --environment test --environment apart")
      try await shell.succeed("nagaya create tenant netblue --environment dev")
      let hello = "nagaya.local/hello:1"
      for (name, namespace) in [
        ("friend", "netred-dev"), ("other", "netred-test"), ("alone", "netred-apart"), ("victim", "netblue-dev"),
      ] {
        try await create(shell, pod(name, namespace, image: hello))
      }
      let friend = try await address(shell, "friend", "netred-dev")
      let other = try await address(shell, "other", "netred-test")
      let alone = try await address(shell, "alone", "netred-apart")
      let victim = try await address(shell, "victim", "netblue-dev")
      let gateway = "10.\(nagaya.subnet).0.1"
      // The node on a network of others, with something that listens on all its addresses.
      try await shell.succeed(
        "ip link add ntlan\(nagaya.subnet) type veth peer name ntlan\(nagaya.subnet)p "
          + "&& ip link set ntlan\(nagaya.subnet)p up && ip addr add 198.51.100.1/24 dev ntlan\(nagaya.subnet) "
          + "&& ip link set ntlan\(nagaya.subnet) up && ip addr add 169.254.169.254/32 dev ntlan\(nagaya.subnet)")
      let node = "198.51.100.1"
      let listener = try TestListener()
      defer { listener.stop() }
      do {
        let tries: [Try] =
          [
            Try(way: "a pod of its own environment", word: "tcp:\(friend):8080", target: .otherTraffic, isMeant: true),
            Try(way: "ping a pod of its own environment", word: "ping:\(friend)", target: .otherTraffic, isMeant: true),
            Try(way: "raw socket", word: "raw:", target: .otherTraffic),
            Try(way: "packet socket", word: "packet:", target: .otherTraffic),
            Try(way: "cooked packet socket", word: "packet-dgram:", target: .otherTraffic),
            Try(way: "a user namespace with a network", word: "namespace:", target: .platformRights),
            Try(way: "a network of its own", word: "newnet:", target: .platformRights),
            Try(way: "another address on its link", word: "address:\(victim)", target: .otherTraffic),
            Try(way: "another hardware address on its link", word: "hardware:", target: .otherTraffic),
            Try(way: "unix sockets of the node by abstract name", word: "sockets:", target: .platformProcess),
            Try(way: "the shims' abstract socket", word: "abstract:containerd-shim", target: .platformProcess),
          ]
          + [("another tenant's pod", victim), ("another environment's pod", other), ("an environment apart", alone)]
          .flatMap { what, at in
            [
              Try(way: "tcp to \(what)", word: "tcp:\(at):8080", target: .otherTraffic),
              Try(way: "ping \(what)", word: "ping:\(at)", target: .otherTraffic),
              Try(way: "as a neighbour to \(what)", word: "as:\(at):8080:\(victim)", target: .otherTraffic),
              Try(way: "as the gateway to \(what)", word: "as:\(at):8080:\(gateway)", target: .otherTraffic),
              Try(way: "source route to \(what)", word: "routed:\(at):8080:\(gateway)", target: .otherTraffic),
            ]
          }
          + [
            ("the gateway's address", gateway), ("a network of others", node),
            ("the metadata address", "169.254.169.254"),
            ("the node's loopback", "127.0.0.1"), ("the address for others", try #require(nagaya.publicAddress)),
          ].flatMap { what, at in
            [
              Try(way: "the API at \(what)", word: "tcp:\(at):\(nagaya.apiPort)", target: .nodePorts),
              Try(way: "the edge at \(what)", word: "tcp:\(at):\(nagaya.edgePort)", target: .nodePorts),
              Try(way: "a service of the node at \(what)", word: "tcp:\(at):\(listener.port)", target: .nodePorts),
            ]
          }
          + [
            Try(way: "ping the node", word: "ping:\(node)", target: .nodePorts),
            Try(way: "ping the gateway", word: "ping:\(gateway)", target: .nodePorts),
            Try(way: "as the node's loopback", word: "as:\(node):\(listener.port):127.0.0.1", target: .nodePorts),
            Try(way: "as another pod to the node", word: "as:\(node):\(listener.port):\(victim)", target: .nodePorts),
          ]
        let said = try await run(shell, "attacker", tries)
        for (tried, outcome) in zip(tries, said) {
          if tried.isMeant {
            #expect(outcome.hasPrefix("through"), "\(tried.way): \(outcome)")
          } else {
            let held = try await attempt(Attack(.pod, tried.way, on: tried.target)) {
              .check(outcome.hasPrefix("held"), outcome)
            }
            #expect(held, "\(tried.way): \(outcome)")
          }
        }
        #expect(said.count == tries.count + 1)
        // From the node all of them answer: it was the walls that held.
        for at in [friend, other, alone, victim] {
          try await shell.succeed("curl -sf --max-time 10 http://\(at):8080/healthz")
        }
        try await shell.succeed("timeout 10 bash -c '</dev/tcp/\(node)/\(listener.port)'")

        // What the tenant connects is together, at once, also for pods that run; and apart again.
        try await shell.succeed(
          #"kubectl patch tenant netred --type merge -p '{"spec": {"connectedEnvironments": ["dev", "test"]}}'"#)
        try await eventually("dev reaches test") {
          try await shell("nft get element inet pods_nt\(nagaya.apiPort) tenant_netred '{ \(other) }'").succeeded
        }
        let connected = [
          Try(way: "a connected environment", word: "tcp:\(other):8080", target: .otherTraffic, isMeant: true),
          Try(way: "an environment that is not connected", word: "tcp:\(alone):8080", target: .otherTraffic),
          Try(way: "another tenant, from a connected one", word: "tcp:\(victim):8080", target: .otherTraffic),
        ]
        let now = try await run(shell, "connected", connected)
        for (tried, outcome) in zip(connected, now) {
          if tried.isMeant {
            #expect(outcome.hasPrefix("through"), "\(outcome)")
            continue
          }
          let held = try await attempt(Attack(.pod, tried.way, on: tried.target)) {
            .check(outcome.hasPrefix("held"), outcome)
          }
          #expect(held)
        }
      } catch {
        _ = try? await shell("ip link delete ntlan\(nagaya.subnet)")
        throw error
      }
      try await shell.succeed("ip link delete ntlan\(nagaya.subnet)")
      for tenant in ["netred", "netblue"] {
        try await shell.succeed(
          "kubectl annotate tenant \(tenant) nagaya.dev/confirm-deletion=\(tenant) && kubectl delete tenant \(tenant) --timeout=60s",
          seconds: 90)
      }
      try await eventually("their zones are gone") {
        try await !shell.succeed("nft list table inet pods_nt\(nagaya.apiPort)").contains("netred")
      }
    }

    @Test(
      "raw sockets are refused to a tenant that asks for them, however they are written",
      arguments: ["NET_RAW", "CAP_NET_RAW", "net_raw", "ALL", "NET_ADMIN"])
    func capabilities(capability: String) async throws {
      let nagaya = try running()
      let manifest = """
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "raw", "namespace": "netraw-dev"}, "spec": {"containers": [
          {"name": "main", "image": "nagaya.local/hello:1", "securityContext": {"capabilities": {"add": ["\(capability)"]}}}]}}
        """
      let path = "\(nagaya.directory)/raw.json"
      try Data(manifest.utf8).write(to: URL(fileURLWithPath: path))
      let tenant = try await nagaya.shell("nagaya create tenant netraw --environment dev --edit eve")
      #expect(tenant.succeeded || tenant.error.contains("already exists"))
      let held = try await attempt(Attack(.editor, "adds the capability \(capability)", on: .otherTraffic)) {
        let output = try await nagaya.shell("kubectl create -f \(path) --as eve")
        return .check(!output.succeeded && output.error.contains("capabilities"), output.out + output.error)
      }
      #expect(held)
    }
  }
}

/// A process of the node that listens on all addresses, as many do.
private struct TestListener {
  let port: Int
  private let sockets: [Int32]

  init() throws {
    let stream = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in6()
    address.sin6_family = sa_family_t(AF_INET6)
    let isBound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(stream, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
      }
    }
    var bound = sockaddr_in6()
    var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
    let isNamed = withUnsafeMutablePointer(to: &bound) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(stream, $0, &size) }
    }
    try #require(stream >= 0 && isBound == 0 && isNamed == 0 && listen(stream, 64) == 0)
    port = Int(UInt16(bigEndian: bound.sin6_port))
    sockets = [stream]
  }

  func stop() { for one in sockets { close(one) } }
}
