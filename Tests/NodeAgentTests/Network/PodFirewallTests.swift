import JSONDocument
import KubernetesAPI
import LinuxSystem
import Testing

@testable import NodeAgent

/// The firewall's tables in the kernel of this machine, under names of their own.
@Suite("The pods' firewall")
struct PodFirewallTests {
  private static func with(_ body: (PodFirewall) async throws -> Void) async throws {
    let name = "ngf\(UInt16.random(in: 0...UInt16.max))"
    let network = try PodNetwork.test(name, "10.7.0.0/24", apiPort: 6443)
    do { try await body(PodFirewall(network: network)) } catch {
      try? await PodFirewall.remove(network)
      throw error
    }
    try await PodFirewall.remove(network)
    #expect(try await listing(network).isEmpty, "nothing is left")
  }

  private static func member(_ number: Int, _ namespace: String = "red-dev") throws -> FirewallRules.Member {
    FirewallRules.Member(
      endpoint: try #require(
        PodEndpoint(link: "veth\(number)", hardwareAddress: "02:00:00:00:00:0\(number)", address: "10.7.0.\(number)")),
      namespace: namespace, zone: try #require(NetworkZone(namespace: namespace, labels: [:])))
  }

  private static func listing(_ network: PodNetwork) async throws -> String {
    var text = ""
    for family in ["inet", "arp"] {
      text += try await LinuxSystem.Command.result("nft", ["list", "table", family, network.table]).standardOutput
    }
    return text
  }

  @Test("has a pod from its admission to its withdrawal, and no zone without pods")
  func life() async throws {
    try await Self.with { firewall in
      try await firewall.replace([:])
      try await firewall.admit("a", try Self.member(2))
      try await firewall.admit("b", try Self.member(3, "blue-dev"))
      let both = try await Self.listing(firewall.network)
      #expect(both.contains("10.7.0.2 : goto environment_red-dev"))
      #expect(both.contains("10.7.0.3 : goto environment_blue-dev"))
      try await firewall.withdraw("a")
      try await firewall.withdraw("a")
      try await firewall.rezone { NetworkZone(namespace: $0, labels: [:]) }
      let one = try await Self.listing(firewall.network)
      #expect(!one.contains("10.7.0.2") && !one.contains("veth2") && !one.contains("red-dev"))
      #expect(one.contains("10.7.0.3 : goto environment_blue-dev"))
    }
  }

  @Test("opens the API to who asks for a token, for as long as it has its address, and to nobody else")
  func apiClients() async throws {
    try await Self.with { firewall in
      var asking = try Self.member(2)
      asking.mayCallAPI = true
      func clients() async throws -> [String] {
        let text = try await LinuxSystem.Command.run(
          "nft", ["-j", "list", "set", "inet", firewall.network.table, "api_clients"]
        ).standardOutput
        return try JSONValue(parsing: text)["nftables"].elements.flatMap { $0["set"]["elem"].elements }
          .compactMap(\.string)
      }
      try await firewall.replace(["a": asking, "b": try Self.member(3)])
      #expect(try await clients() == ["10.7.0.2"])
      try await firewall.admit("c", try Self.member(4))
      #expect(try await clients() == ["10.7.0.2"])
      // Moved to another zone it still may.
      try await firewall.rezone { _ in NetworkZone(namespace: "elsewhere", labels: [:]) }
      #expect(try await clients() == ["10.7.0.2"])
      // Somebody else gets the address, before it was told that the first one is gone.
      var heir = try Self.member(2, "blue-dev")
      heir.mayCallAPI = false
      try await firewall.admit("heir", heir)
      #expect(try await clients().isEmpty)
      try await firewall.withdraw("a")
      asking = try Self.member(5)
      asking.mayCallAPI = true
      try await firewall.admit("d", asking)
      #expect(try await clients() == ["10.7.0.5"])
      try await firewall.withdraw("d")
      #expect(try await clients().isEmpty)
    }
  }

  @Test("takes many pods at once, in whatever order they come and go")
  func many() async throws {
    try await Self.with { firewall in
      try await firewall.replace([:])
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 2...9 {
          group.addTask {
            try await firewall.admit("\(number)", try Self.member(number))
            if number.isMultiple(of: 2) { try await firewall.withdraw("\(number)") }
          }
        }
        try await group.waitForAll()
      }
      let text = try await Self.listing(firewall.network)
      for number in 2...9 { #expect(text.contains("\"veth\(number)\"") == !number.isMultiple(of: 2)) }
    }
  }

  @Test("gives an address that is given out again to its new pod alone")
  func reuse() async throws {
    try await Self.with { firewall in
      try await firewall.replace([:])
      try await firewall.admit("old", try Self.member(2))
      var new = try Self.member(2, "blue-dev")
      new = FirewallRules.Member(
        endpoint: try #require(
          PodEndpoint(link: "veth7", hardwareAddress: "02:00:00:00:00:07", address: new.endpoint.address)),
        namespace: new.namespace, zone: new.zone)
      try await firewall.admit("new", new)
      try await firewall.withdraw("old")
      let text = try await Self.listing(firewall.network)
      #expect(text.contains("10.7.0.2 : goto environment_blue-dev"))
      #expect(!text.contains("\"veth2\""))
      #expect(text.contains("\"veth7\" . 02:00:00:00:00:07 . 10.7.0.2"))
    }
  }

  @Test("is made anew from what runs, whatever an agent before left, and when somebody removed it")
  func restored() async throws {
    try await Self.with { firewall in
      try await firewall.replace(["left": try Self.member(5), "b": try Self.member(3)])
      let next = PodFirewall(network: firewall.network)
      try await next.replace(["b": try Self.member(3)])
      #expect(try await !Self.listing(firewall.network).contains("veth5"))
      let before = try await Self.listing(firewall.network)
      #expect(try await next.restoreIfMissing())
      try await PodFirewall.remove(firewall.network)
      #expect(try await !next.restoreIfMissing())
      #expect(try await Self.listing(firewall.network) == before)
      // Half of it was taken away: a change finds out and makes it whole.
      try await LinuxSystem.Command.run("nft", ["flush", "map", "inet", firewall.network.table, "zones"])
      try await next.withdraw("b")
      try await next.admit("c", try Self.member(4))
      let whole = try await Self.listing(firewall.network)
      #expect(whole.contains("10.7.0.4 : goto environment_red-dev") && !whole.contains("veth3"))
    }
  }

  @Test("connects what a tenant connects, and nothing that is only labelled so")
  func zones() throws {
    func name(_ namespace: String, _ labels: [String: String]) -> String? {
      NetworkZone(namespace: namespace, labels: labels)?.name
    }
    let (tenant, network) = (NamespaceLabels.tenant, NamespaceLabels.network)
    #expect(name("red-dev", [tenant: "red"]) == "environment_red-dev")
    #expect(name("red-dev", [tenant: "red", network: "connected"]) == "tenant_red")
    #expect(name("red-prod", [tenant: "red", network: "connected"]) == "tenant_red")
    #expect(name("red-dev", [network: "connected"]) == "environment_red-dev")
    #expect(name("red-dev", [tenant: "red", network: "open"]) == "environment_red-dev")
    #expect(name("red-dev", [tenant: "red }; flush ruleset", network: "connected"]) == "environment_red-dev")
    #expect(name("a; flush ruleset", [:]) == nil)
    #expect(name("", [:]) == nil)
  }

  @Test(
    "takes nothing into its text that is no link and no address",
    arguments: [
      ("veth1\" }; flush ruleset", "02:00:00:00:00:01", "10.0.0.2"), ("veth1", "02:00:00:00:00", "10.0.0.2"),
      ("veth1", "02:00:00:00:00:0g", "10.0.0.2"), ("veth1", "02:00:00:00:00:01", "10.0.0.2/8"),
      ("veth1", "02:00:00:00:00:01", "fe80::1"), ("", "02:00:00:00:00:01", "10.0.0.2"),
      ("averylongnameofalink", "02:00:00:00:00:01", "10.0.0.2"), ("veth1", "02:00:00:00:00:01", "10.0.0.+2"),
    ])
  func words(link: String, hardwareAddress: String, address: String) {
    #expect(PodEndpoint(link: link, hardwareAddress: hardwareAddress, address: address) == nil)
  }

  @Test("knows a sandbox's own link, and one on the bridge of an earlier version as none")
  func sandboxes() throws {
    func info(_ more: String) throws -> JSONValue {
      try JSONValue(
        parsing: #"""
          {"cniResult": {"Interfaces": {
            "eth0": {"IPConfigs": [{"IP": "10.9.0.2", "Gateway": "10.9.0.1"}], "Mac": "26:A3:60:68:c2:e8", "Sandbox": "/x"},
            \#(more)
            "vethccf2711f": {"IPConfigs": null, "Mac": "8a:de:76:9c:62:6f", "Sandbox": ""}}}}
          """#)
    }
    let own = try #require(PodEndpoint(sandboxInfo: try info("")))
    #expect(own.link == "vethccf2711f" && own.hardwareAddress == "26:a3:60:68:c2:e8" && own.address == "10.9.0.2")
    #expect(PodEndpoint(sandboxInfo: try info(#""nagaya0": {"Mac": "8a:de:76:9c:62:70", "Sandbox": ""},"#)) == nil)
    #expect(PodEndpoint(sandboxInfo: ["cniResult": ["Interfaces": [:]]]) == nil)
    #expect(PodEndpoint(sandboxInfo: .null) == nil)
  }

  @Test(
    "takes raw sockets away unless they are asked for",
    arguments: [
      ([], [], ["NET_RAW"]), (["CHOWN"], ["KILL"], ["KILL", "NET_RAW"]), (["NET_RAW"], [], []), (["ALL"], [], []),
      (["cap_net_raw"], [], []), ([], ["NET_RAW"], ["NET_RAW"]), (["NET_RAWX"], [], ["NET_RAW"]),
    ] as [([String], [String], [String])])
  func capabilities(add: [String], drop: [String], dropped: [String]) {
    let made = PodConfigurations.capabilities([
      "add": .array(add.map { .string($0) }), "drop": .array(drop.map { .string($0) }),
    ])
    #expect(made.addCapabilities == add)
    #expect(made.dropCapabilities == dropped)
  }

  @Test("offers no service of the node's loopback, and no address that is none")
  func services() {
    for address in ["127.0.0.1", "127.1.2.3", "::", "localhost", ""] {
      #expect(PodNetwork.HostService(address: address, port: 8443) == nil)
    }
    #expect(PodNetwork.HostService(address: "0.0.0.0", port: 8443) != nil)
    #expect(PodNetwork.HostService(address: "192.0.2.1", port: 0) == nil)
  }
}
