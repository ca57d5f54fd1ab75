import TestSupport
import Testing

@testable import NodeAgent

/// What a pod that has every right over its own link sends, against the rules in the kernel.
@Suite("Attacks from a pod's link", .serialized)
struct PacketAttacks {
  /// One try: which program runs, and where its token must not arrive.
  struct Row: Sendable {
    let way: String
    /// `pod.py`'s name of the try.
    let name: String
    /// Who must not see it; `nil`: the program itself tells whether it got through.
    let at: String?
    let target: Attack.Target
    /// The kernel holds without our rules too, as it does for packets of the loopback network.
    var isHeldByTheKernel = false
  }

  static let rows: [Row] =
    [
      "udp to another tenant", "echo to another tenant", "sctp to another tenant", "ip in ip to another tenant",
      "gre to another tenant", "fragments to another tenant", "half a handshake to another tenant",
      "as a pod of that tenant", "as a pod of that tenant, with its hardware address", "as somebody outside",
      "fragments as a pod of that tenant", "behind a priority tag", "redirect to another tenant",
      "unreachable for a connection of others", "as the victim itself", "behind two tags",
    ].map { Row(way: $0, name: $0, at: "victim", target: .otherTraffic) }
    + [
      "as the gateway", "as the node", "loose source route", "strict source route", "redirect as the gateway",
    ].map { Row(way: $0, name: $0, at: "victim", target: .otherTraffic, isHeldByTheKernel: true) }
    + [
      Row(way: "tcp to another tenant", name: "tcp to another tenant", at: nil, target: .otherTraffic),
      Row(way: "another hardware address", name: "with another hardware address", at: "friend", target: .otherTraffic),
      Row(
        way: "no source address", name: "without an address", at: "friend", target: .otherTraffic,
        isHeldByTheKernel: true),
      Row(way: "recorded route", name: "recorded route", at: "outside", target: .otherTraffic),
      Row(way: "a source of others", name: "replies of others, outside", at: "outside", target: .otherTraffic),
      Row(
        way: "a source of nobody here", name: "an address of nobody here, outside", at: "outside",
        target: .otherTraffic),
      Row(way: "an address that no pod has", name: "a pod address that nobody has", at: "outside", target: .nodePorts),
      Row(way: "metadata by udp", name: "metadata of the cloud", at: "outside", target: .nodePorts),
      Row(way: "metadata by tcp", name: "metadata of the cloud by tcp", at: nil, target: .nodePorts),
      Row(way: "pods of another instance", name: "pods of another instance", at: "neighbour", target: .otherTraffic),
    ]
    + [
      "node by the gateway's address", "node by its own address", "node in fragments", "the port of a service, by udp",
      "everybody's broadcast", "broadcast without an address, as DHCP does", "unicast address in a broadcast frame",
      "ipv6 to the node's link", "ipv6 to all nodes", "ipv6 with a global source",
    ].map { Row(way: $0, name: $0, at: "node", target: .nodePorts) }
    + [
      "node as itself", "node as its loopback", "the node's loopback", "the subnet's broadcast",
      "multicast to all hosts", "loose source route to the node",
    ].map { Row(way: $0, name: $0, at: "node", target: .nodePorts, isHeldByTheKernel: true) }
    + [
      "node by the gateway's address, tcp", "node by its own address, tcp",
      "a service for pods at the gateway's address", "echo to the node", "timestamp request to the node",
      "arp asks for the node's other addresses",
    ].map { Row(way: $0, name: $0, at: nil, target: .nodePorts) }
    + [
      Row(
        way: "arp asks for another pod", name: "arp asks for another pod", at: nil, target: .otherTraffic,
        isHeldByTheKernel: true)
    ]

  @Test("nothing passes that is not the pod's own word to whom it may speak to")
  func packets() async throws {
    try await PacketStage.with { stage in
      try await stage.raiseWalls()
      for (index, row) in Self.rows.enumerated() {
        let held = try await attempt(Attack(.pod, row.way, on: row.target)) {
          let said = try await isThrough(row, index, stage)
          return .check(!said, said ? "arrived" : "nothing arrived")
        }
        #expect(held, "\(row.way)")
      }
    }
  }

  /// A try that fails where nothing stands in its way tries nothing.
  @Test("the same tries pass without the rules, but for what the kernel itself holds")
  func packetsWithoutWalls() async throws {
    try await PacketStage.with { stage in
      for (index, row) in Self.rows.enumerated() where !row.isHeldByTheKernel {
        let passes = try await isThrough(row, 1000 + index, stage)
        #expect(passes, "\(row.way)")
      }
    }
  }

  private func isThrough(_ row: Row, _ index: Int, _ stage: PacketStage) async throws -> Bool {
    let said = try await stage.attack(row.name, token: "TRY\(index);")
    guard let watcher = row.at else { return said.contains("THROUGH") }
    return try await stage.arrived("TRY\(index);", at: watcher, mark: "MARK\(index);")
  }

  static let neighbours = [
    "arp for another pod's address", "arp for an outside address", "arp with a foreign hardware address",
    "arp from a hundred addresses",
  ]

  @Test("no pod has the node believe who is where")
  func neighbours() async throws {
    try await PacketStage.with { stage in
      for walls in [true, false] {
        if walls { try await stage.raiseWalls() } else { try await stage.removeWalls() }
        for way in Self.neighbours {
          try await stage.forgetNeighbours()
          try await stage.attack(way)
          // The attacker's honest question comes after its lies, and is answered.
          #expect(try await stage.attack("arp asks for the gateway").contains("THROUGH"))
          let table = try await stage.neighboursOfNode()
          let lies = table.split(separator: "\n").filter { line in
            !line.contains("FAILED") && !line.contains("INCOMPLETE")
              && !(line.hasPrefix("\(PacketStage.address("attacker")) ")
                && line.contains(PacketStage.hardwareAddress("attacker")))
          }
          if walls {
            let held = try await attempt(Attack(.pod, way, on: .otherTraffic)) {
              .check(lies.isEmpty, "the node's neighbours: \(table)")
            }
            #expect(held, "\(way)")
          } else if way != "arp with a foreign hardware address" {
            #expect(!lies.isEmpty, "\(way) passes without the rules: \(table)")
          }
        }
      }
    }
  }

  @Test("what is meant to pass passes: friends, the outside, and services for pods")
  func meant() async throws {
    try await PacketStage.with { stage in
      try await stage.raiseWalls()
      for (index, (way, watcher)) in [("udp to a friend", "friend"), ("udp outside", "outside")].enumerated() {
        try await stage.attack(way, token: "TRY\(index);")
        #expect(try await stage.arrived("TRY\(index);", at: watcher, mark: "MARK\(index);"), "\(way)")
      }
      for way in ["tcp to a friend", "tcp outside", "a service for pods"] {
        #expect(try await stage.attack(way).contains("THROUGH"), "\(way)")
      }
    }
  }

  @Test("a pod that changes its zone is with its new friends and no longer with the old ones")
  func zones() async throws {
    try await PacketStage.with { stage in
      try await stage.raiseWalls()
      let old = try PacketStage.member("attacker")
      var moved = old
      moved.zone = try PacketStage.member("victim").zone
      try await stage.nft(stage.rules.removal(of: old) + stage.rules.addition(moved))
      try await stage.attack("udp to another tenant", token: "TRY1;")
      #expect(try await stage.arrived("TRY1;", at: "victim", mark: "MARK1;"))
      try await stage.attack("udp to a friend", token: "TRY2;")
      #expect(try await !stage.arrived("TRY2;", at: "friend", mark: "MARK2;"))
    }
  }
}
