import JSONDocument
import KubernetesAPI
import KubernetesClient
import TestSupport
import Testing

@testable import Edge

/// Slices that name addresses which are not the app's own pods'.
@Suite("Attacks by endpoints")
struct EndpointAttacks {
  /// What an endpoint says: the address, and the pod that it is said to be.
  struct Named: Sendable, CustomTestStringConvertible {
    let what: String
    let address: String
    var kind = "Pod"
    var namespace: String? = "mine"
    var name = "p"
    var uid = "u"
    var testDescription: String { what }
  }

  static let claims: [Named] = [
    Named(what: "another tenant's pod under the name of one's own", address: "10.0.0.66"),
    Named(what: "another tenant's pod as it is", address: "10.0.0.66", namespace: "theirs", name: "victim", uid: "v"),
    Named(what: "another tenant's pod, said to be here", address: "10.0.0.66", name: "victim", uid: "v"),
    Named(what: "the node's loopback", address: "127.0.0.1"),
    Named(what: "the node's loopback by IPv6", address: "::1"),
    Named(what: "IPv4 in IPv6", address: "::ffff:127.0.0.1"), Named(what: "all addresses", address: "0.0.0.0"),
    Named(what: "where clouds keep credentials", address: "169.254.169.254"),
    Named(what: "a name", address: "localhost"), Named(what: "no pod at all", address: "10.0.0.1", kind: "Node"),
    Named(what: "a pod that was there before", address: "10.0.0.1", uid: "old"),
    Named(what: "a pod that is not there", address: "10.0.0.1", name: "nobody"),
    Named(what: "an octal address", address: "0177.0.0.1"),
    Named(what: "a pod on the node's network", address: "10.0.0.9", name: "host", uid: "h"),
    Named(what: "a pod whose status says loopback", address: "127.0.0.5", name: "odd", uid: "o"),
  ]

  private static func pod(_ namespace: String, _ name: String, _ uid: String, _ address: String) -> KubernetesObject {
    var pod = KubernetesObject(.pods, namespace: namespace, name: name)
    pod.metadata["uid"] = .string(uid)
    pod.status = ["podIP": .string(address), "podIPs": [["ip": .string(address)]], "phase": "Running"]
    return pod
  }

  private static func slice(_ claim: Named) -> KubernetesObject {
    var slice = KubernetesObject(
      .endpointSlices, namespace: "mine", name: "s", labels: ["kubernetes.io/service-name": "app"])
    slice["addressType"] = "IPv4"
    slice["ports"] = [["port": 8080, "protocol": "TCP"]]
    var target: JSONValue = ["kind": .string(claim.kind), "name": .string(claim.name), "uid": .string(claim.uid)]
    if let namespace = claim.namespace { target["namespace"] = .string(namespace) }
    slice["endpoints"] = [
      ["addresses": [.string(claim.address)], "conditions": ["ready": true], "targetRef": target]
    ]
    return slice
  }

  private static func table() -> RoutingTable {
    let table = RoutingTable()
    table.apply(application: .added(KubernetesObject(.applications, namespace: "mine", name: "app")))
    var host = pod("mine", "host", "h", "10.0.0.9")
    host.spec = ["hostNetwork": true]
    for pod in [
      pod("mine", "p", "u", "10.0.0.1"), pod("theirs", "victim", "v", "10.0.0.66"), host,
      pod("mine", "odd", "o", "127.0.0.5"),
    ] { table.apply(pod: .added(PodAddresses.trimmed(pod))) }
    return table
  }

  @Test(
    "only pods of the app's own namespace are reached, at the addresses that their node reported", arguments: claims)
  func named(claim: Named) async throws {
    let app = ObjectKey(namespace: "mine", name: "app")
    let held = try await attempt(Attack(.editor, "endpoint that names \(claim.what)", on: .otherTraffic)) {
      let table = Self.table()
      table.apply(endpointSlice: .added(Self.slice(Named(what: "", address: "10.0.0.1"))))
      let honest = table.readyEndpoints(of: app)
      guard honest.map(\.address) == ["10.0.0.1"] else { return .through("the app's own pod is not reached") }
      table.apply(endpointSlice: .updated(old: Self.slice(claim), new: Self.slice(claim)))
      return .check(table.readyEndpoints(of: app).isEmpty, "\(table.readyEndpoints(of: app))")
    }
    #expect(held)
  }

  @Test("a pod that goes, or is made anew under its name, is not reached any more; one that comes later is")
  func lives() {
    let app = ObjectKey(namespace: "mine", name: "app")
    let table = Self.table()
    let honest = Self.slice(Named(what: "", address: "10.0.0.1"))
    table.apply(endpointSlice: .added(honest))
    table.apply(pod: .deleted(Self.pod("mine", "p", "u", "10.0.0.1")))
    #expect(table.readyEndpoints(of: app).isEmpty)
    table.apply(pod: .added(Self.pod("mine", "p", "new", "10.0.0.1")))
    #expect(table.readyEndpoints(of: app).isEmpty)
    table.apply(pod: .added(Self.pod("mine", "p", "u", "10.0.0.1")))
    #expect(table.readyEndpoints(of: app).count == 1)
    var over = Self.pod("mine", "p", "u", "10.0.0.1")
    over.status["phase"] = "Succeeded"
    table.apply(pod: .updated(old: over, new: over))
    #expect(table.readyEndpoints(of: app).isEmpty)
  }
}
