import LinuxSystem
import Testing

@testable import NodeAgent

extension PodNetwork {
  /// A network whose name and block are well formed.
  static func test(_ name: String, _ block: String, services: [HostService] = [], apiPort: Int? = nil) throws
    -> PodNetwork
  {
    let subnet = try #require(IPv4Block(block))
    return try #require(PodNetwork(name: name, subnet: subnet, hostServices: services, apiPort: apiPort))
  }
}
