import JSONDocument
import LinuxSystem

/// The node's end of one pod's link, and who is at the other end.
struct PodEndpoint: Hashable, Sendable {
  /// The interface on the node.
  let link: String
  /// The pod's own hardware address, six hexadecimal pairs.
  let hardwareAddress: String
  /// The pod's IPv4 address.
  let address: String

  /// - Parameter info: what containerd tells of a sandbox on verbose request (containerd, `sandbox_status.go`, key `info`).
  /// - Returns: `nil` if the sandbox does not have exactly one link that ends on the node: it has none (any more), or an
  ///   earlier version of the network made it.
  init?(sandboxInfo info: JSONValue) {
    let interfaces = info["cniResult"]["Interfaces"].members
    let ofNode = interfaces.filter { ($0.value["Sandbox"].string ?? "").isEmpty }
    guard ofNode.count == 1, let link = ofNode.first?.key, let own = interfaces["eth0"],
      let hardwareAddress = own["Mac"].string, let address = own["IPConfigs"][0]["IP"].string
    else { return nil }
    self.init(link: link, hardwareAddress: hardwareAddress, address: address)
  }

  /// - Returns: `nil` for what is no name of an interface or no address: nothing else may come into the rules' text.
  init?(link: String, hardwareAddress: String, address: String) {
    let pairs = hardwareAddress.split(separator: ":", omittingEmptySubsequences: false)
    guard (1...15).contains(link.utf8.count),
      link.utf8.allSatisfy({ (97...122).contains($0) || (48...57).contains($0) }),
      pairs.count == 6, pairs.allSatisfy({ $0.utf8.count == 2 && UInt8($0, radix: 16) != nil }),
      let number = IPv4Block.address(address)
    else { return nil }
    self.link = link
    self.hardwareAddress = hardwareAddress.lowercased()
    self.address = IPv4Block.text(number)
  }
}
