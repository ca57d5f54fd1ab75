import KubernetesAPI
import NIOCore

/// An address that a slice names, and the pod that it says has it.
struct Backend: Sendable, Hashable {
  let endpoint: Endpoint
  /// `nil`: somebody else has made sure of it.
  let pod: PodIdentity?
}

struct PodIdentity: Sendable, Hashable {
  let key: ObjectKey
  let uid: String
}

/// The addresses of a pod, as the agent of its node reported them.
///
/// Slices can be written by more people than the status of pods, and say any address: another tenant's pod, a service
/// of the node. The edge connects only to what the pod itself has.
struct PodAddresses: Sendable, Hashable {
  let uid: String
  let addresses: Set<String>

  init(uid: String, addresses: Set<String>) {
    self.uid = uid
    self.addresses = addresses
  }

  /// `nil` for pods without an address of their own: not started, over, or on the node's network.
  init?(of pod: KubernetesObject) {
    guard pod.spec["hostNetwork"].bool != true, !["Succeeded", "Failed"].contains(pod.status["phase"].string ?? "")
    else { return nil }
    let reported = pod.status["podIPs"].elements.compactMap { $0["ip"].string } + [pod.status["podIP"].string ?? ""]
    addresses = Set(reported.filter(Self.isPodAddress))
    uid = pod.uid
    if addresses.isEmpty { return nil }
  }

  func has(_ address: String, uid: String) -> Bool { self.uid == uid && addresses.contains(address) }

  /// What the edge needs of a pod; the rest is not kept.
  static func trimmed(_ pod: KubernetesObject) -> KubernetesObject {
    var kept = KubernetesObject(.pods, namespace: pod.namespace, name: pod.name)
    kept.metadata["uid"] = pod.metadata["uid"]
    kept.metadata["resourceVersion"] = pod.metadata["resourceVersion"]
    kept.spec = ["hostNetwork": pod.spec["hostNetwork"]]
    kept.status = [
      "phase": pod.status["phase"], "podIP": pod.status["podIP"], "podIPs": pod.status["podIPs"],
    ]
    return kept
  }

  /// Not the node itself (loopback, unspecified), nothing link-local (where clouds keep credentials), no group.
  static func isPodAddress(_ text: String) -> Bool {
    guard let address = try? SocketAddress(ipAddress: text, port: 0) else { return false }
    switch address {
    case .v4(let address):
      let bytes = withUnsafeBytes(of: address.address.sin_addr) { Array($0) }
      return bytes[0] != 0 && bytes[0] != 127 && !(bytes[0] == 169 && bytes[1] == 254) && bytes[0] < 224
    case .v6(let address):
      let bytes = withUnsafeBytes(of: address.address.sin6_addr) { Array($0) }
      let isMapped = bytes[..<10].allSatisfy { $0 == 0 }  // ::, ::1, and IPv4 in disguise
      return !isMapped && bytes[0] != 0xFF && !(bytes[0] == 0xFE && bytes[1] & 0xC0 == 0x80)
    case .unixDomainSocket: return false
    }
  }
}
