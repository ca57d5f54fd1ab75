import Foundation
import JSONDocument
import LinuxSystem
import TestSupport
import Testing

@testable import NodeAgent

/// A node with pods in network namespaces of their own, wired as the CNI plugin `ptp` does it, and somebody outside.
///
/// `attacker` and `friend` are of one environment, `victim` and `ally` of another tenant's; `neighbour` is a pod of another
/// instance on the same node. `outside` also has the address at which clouds serve their metadata.
struct PacketStage: Sendable {
  static let pods = ["attacker", "friend", "victim", "ally", "neighbour"]
  static let port = 9000
  static let service = 9100

  let id: String
  let directory: String
  let rules: FirewallRules
  let neighbours: FirewallRules

  static func with(_ body: (PacketStage) async throws -> Void) async throws {
    let number = UInt16.random(in: 0...UInt16.max)
    let id = "ngs\(String(number, radix: 16))"
    let ours = try #require(PodNetwork.HostService(address: "192.0.2.1", port: service))
    let stage = PacketStage(
      id: id, directory: "/tmp/nagaya-\(id)",
      rules: FirewallRules(network: try .test("one", "10.9.0.0/24", services: [ours])),
      neighbours: FirewallRules(network: try .test("two", "10.8.0.0/24")))
    do {
      try await stage.build()
      try await body(stage)
      await stage.tearDown()
    } catch {
      await stage.tearDown()
      throw error
    }
  }

  // MARK: Names

  static func address(_ pod: String) -> String {
    switch pod {
    case "outside": "192.0.2.2"
    case "neighbour": "10.8.0.2"
    default: "10.9.0.\(2 + (pods.firstIndex(of: pod) ?? 0))"
    }
  }
  private static func number(_ pod: String) -> Int { (pods + ["outside"]).firstIndex(of: pod) ?? 0 }
  static func hardwareAddress(_ pod: String) -> String { "02:00:00:00:00:0\(number(pod))" }
  static func link(_ pod: String) -> String { "veth\(number(pod))" }
  private static func linkAddress(_ pod: String) -> String { "02:00:00:00:01:0\(number(pod))" }
  private func space(_ name: String) -> String { "\(id)-\(name)" }

  static func member(_ pod: String) throws -> FirewallRules.Member {
    let namespace = ["attacker", "friend"].contains(pod) ? "red-dev" : "blue-dev"
    return FirewallRules.Member(
      endpoint: try #require(
        PodEndpoint(link: link(pod), hardwareAddress: hardwareAddress(pod), address: address(pod))),
      namespace: namespace, zone: try #require(NetworkZone(namespace: namespace, labels: [:])))
  }

  // MARK: Building

  private func build() async throws {
    try Directory.make(directory)
    var script = """
      set -e
      ip netns add \(space("node"))
      node="ip netns exec \(space("node"))"
      ip -n \(space("node")) link set lo up
      $node sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'

      """
    for pod in Self.pods + ["outside"] {
      let (link, address) = (Self.link(pod), Self.address(pod))
      let gateway = pod == "outside" ? "192.0.2.1" : pod == "neighbour" ? "10.8.0.1" : "10.9.0.1"
      script += """
        ip netns add \(space(pod))
        ip -n \(space(pod)) link set lo up
        ip -n \(space(pod)) link add eth0 address \(Self.hardwareAddress(pod)) type veth \
          peer name \(link) address \(Self.linkAddress(pod)) netns \(space("node"))
        ip netns exec \(space("node")) sh -c 'echo 0 >/proc/sys/net/ipv6/conf/\(link)/accept_dad'
        ip -n \(space("node")) link set \(link) up
        ip -n \(space(pod)) link set eth0 up
        ip -n \(space(pod)) addr add \(address)/\(pod == "outside" ? "24" : "32") dev eth0
        ip -n \(space("node")) addr add \(gateway)/\(pod == "outside" ? "24" : "32") dev \(link)
        ip -n \(space(pod)) route add \(gateway) dev eth0 scope link \(pod == "outside" ? "2>/dev/null || true" : "")
        ip -n \(space(pod)) route replace default via \(gateway) src \(address)

        """
      if pod != "outside" { script += "ip -n \(space("node")) route add \(address) dev \(link)\n" }
    }
    script += """
      ip -n \(space("outside")) addr add 169.254.169.254/32 dev eth0
      ip -n \(space("node")) route add 169.254.169.254 dev \(Self.link("outside"))
      ip -n \(space("node")) route add default via 192.0.2.2

      """
    try await shell(script)
    try SmallFile.write(Array(PacketPrograms.pod.utf8), to: "\(directory)/pod.py")
    try SmallFile.write(Array(PacketPrograms.watcher.utf8), to: "\(directory)/watcher.py")
    for name in Self.pods + ["outside", "node"] {
      try await shell(
        """
        ip netns exec \(space(name)) python3 \(directory)/watcher.py \
          \(name == "node" ? "node" : "frames") \(directory)/\(name) \(Self.port) \(name == "node" ? "\(Self.service)" : "") \
          >\(directory)/\(name).err 2>&1 </dev/null & echo $! >>\(directory)/pids
        """)
    }
    for name in Self.pods + ["outside", "node"] {
      try await eventually("\(name) watches") { seen(by: name).contains("ready") }
    }
  }

  /// Puts the walls up.
  func raiseWalls() async throws {
    let ours = try ["attacker", "friend", "victim", "ally"].map(Self.member)
    try await nft(rules.replacement(ours) + neighbours.replacement([try Self.member("neighbour")]))
  }

  func removeWalls() async throws { try await nft(rules.removal + neighbours.removal) }

  func nft(_ text: String) async throws {
    try SmallFile.write(Array(text.utf8), to: "\(directory)/rules")
    try await shell("ip netns exec \(space("node")) nft -f \(directory)/rules")
  }

  private func tearDown() async {
    for line in (SmallFile.text("\(directory)/pids") ?? "").split(separator: "\n") {
      if let id = pid_t(line) { kill(id, SIGKILL) }
    }
    for name in Self.pods + ["outside", "node"] { _ = try? await shell("ip netns delete \(space(name))") }
    try? Directory.removeTree(directory)
  }

  // MARK: Trying

  private func seen(by name: String) -> String { SmallFile.text("\(directory)/\(name)") ?? "" }

  /// Lets the attacker try something.
  /// - Returns: what its program said.
  @discardableResult
  func attack(_ way: String, token: String = "") async throws -> String {
    let facts: JSONValue = [
      "me": .string(Self.address("attacker")), "my_mac": .string(Self.hardwareAddress("attacker")),
      "gateway": "10.9.0.1", "gateway_mac": .string(Self.linkAddress("attacker")),
      // fe80:: and the hardware address in EUI-64 form (RFC 4291, appendix A).
      "gateway6": .string("fe80::ff:fe00:10\(Self.number("attacker"))"),
      "victim": .string(Self.address("victim")), "ally": .string(Self.address("ally")),
      "ally_mac": .string(Self.hardwareAddress("ally")), "friend": .string(Self.address("friend")),
      "neighbour": .string(Self.address("neighbour")), "nobody": "10.9.0.99", "prefix": "10.9.0.",
      "broadcast": "10.9.0.255", "node": "192.0.2.1", "outside": .string(Self.address("outside")),
      "port": JSONValue(Self.port), "service": JSONValue(Self.service),
    ]
    // Without a shell in between: names of tries have apostrophes.
    return try await LinuxSystem.Command.run(
      "ip",
      [
        "netns", "exec", space("attacker"), "python3", "\(directory)/pod.py", way, token,
        String(decoding: facts.encodedForReading(), as: UTF8.self),
      ]
    ).standardOutput
  }

  /// Whether a token arrived somewhere, once everything that was sent before has.
  func arrived(_ token: String, at name: String, mark: String) async throws -> Bool {
    let target = name == "node" ? "127.0.0.1" : Self.address(name)
    // The node may speak to everybody: its word comes after whatever was on its way.
    try await eventually("the node's word reaches \(name)") {
      try await LinuxSystem.Command.run(
        "ip",
        [
          "netns", "exec", space("node"), "python3", "-c",
          "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'\(mark)', ('\(target)', \(Self.port)))",
        ])
      return await eventually(within: .seconds(2)) { seen(by: name).contains(mark) }
    }
    return seen(by: name).contains(token)
  }

  /// The node's table of neighbours behind the attacker's link, and of the victim.
  func neighboursOfNode() async throws -> String {
    try await shell(
      "ip -n \(space("node")) neigh show dev \(Self.link("attacker")); ip -n \(space("node")) neigh show to \(Self.address("victim"))"
    )
  }

  func forgetNeighbours() async throws { try await shell("ip -n \(space("node")) neigh flush all") }

  @discardableResult
  private func shell(_ script: String) async throws -> String {
    // This one's children inherit nothing: a watcher must not hold the pipe of a script that runs beside it.
    try await LinuxSystem.Command.run("/bin/bash", ["-c", script]).standardOutput
  }
}
