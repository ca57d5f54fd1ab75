public import LinuxSystem

/// The network of this node's pods: each pod has a link of its own to the node, which routes (no bridge), and a firewall
/// on it (`PodFirewall`).
public struct PodNetwork: Sendable, Hashable {
  /// A service of the node that pods may call.
  public struct HostService: Sendable, Hashable {
    public enum Transport: String, Sendable {
      case tcp, udp
    }

    /// IPv4 address in dotted form; `0.0.0.0`: whatever address of the node.
    public let address: String
    public let transport: Transport
    public let port: Int

    /// - Returns: `nil` if the address is no IPv4 address that another machine can call, or the port is none.
    public init?(address: String, transport: Transport = .tcp, port: Int) {
      guard let number = IPv4Block.address(address), (1...65_535).contains(port), number >> 24 != 127 else {
        return nil
      }
      self.address = address
      self.transport = transport
      self.port = port
    }
  }

  /// Names the network's tables and leases, one per instance on a machine: letters, digits, `-`, `_`; at most 15.
  public let name: String
  /// Where pods' addresses come from.
  public let subnet: IPv4Block
  /// What pods may call of the node. Nothing else of it answers them.
  public let hostServices: [HostService]
  /// Where at the gateway pods that ask for a token find the API; `nil`: it is closed to all.
  public let apiPort: Int?

  /// - Returns: `nil` if the name is none, or the port.
  public init?(name: String, subnet: IPv4Block, hostServices: [HostService] = [], apiPort: Int? = nil) {
    if let apiPort, !(1...65_535).contains(apiPort) { return nil }
    self.apiPort = apiPort
    let letters = name.utf8.allSatisfy {
      (97...122).contains($0) || (65...90).contains($0) || (48...57).contains($0) || $0 == 45 || $0 == 95
    }
    guard (1...15).contains(name.utf8.count), letters else { return nil }
    self.name = name
    self.subnet = subnet
    self.hostServices = hostServices
  }

  /// The pods' way out: an address of the node on every link.
  public var gateway: String { subnet.firstHost }
  /// The name of the network's tables in nftables.
  public var table: String { "pods_\(name)" }
}
