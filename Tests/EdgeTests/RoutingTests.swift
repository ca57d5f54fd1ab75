import JSONDocument
import KubernetesAPI
import KubernetesClient
import Testing

@testable import Edge

@Suite("Routes")
struct RoutingTests {
  static let hosts: [(String, String?)] = [
    ("hello.demo-dev.nagaya.test", "demo-dev/hello"), ("HELLO.Demo-Dev.NAGAYA.test:8443", "demo-dev/hello"),
    ("hello.demo-dev.nagaya.test.", "demo-dev/hello"), ("demo-dev.nagaya.test", nil), ("nagaya.test", nil),
    ("a.b.c.nagaya.test", nil), ("hello.demo-dev.other.test", nil), ("hello.demo-devnagaya.test", nil),
    ("hello..nagaya.test", nil), ("-x.demo.nagaya.test", nil), ("hello.demo-dev.nagaya.test:99999999", nil),
    ("hello.demo-dev.nagaya.test:port", nil), ("hello/.demo-dev.nagaya.test", nil), ("", nil), ("[::1]:8443", nil),
    ("user@hello.demo-dev.nagaya.test", nil),
  ]

  @Test("hosts lead to apps", arguments: hosts)
  func host(authority: String, app: String?) {
    let found = HostName.normalized(authority).flatMap { HostName.app(of: $0, domain: "nagaya.test") }
    #expect(found?.description == app)
  }

  private let app = ObjectKey(namespace: "n", name: "a")
  private func endpoints(_ count: Int) -> [Endpoint] {
    (1...count).map { Endpoint(address: "10.0.0.\($0)", port: 8080) }
  }
  private func table(_ count: Int) -> RoutingTable {
    let table = RoutingTable()
    table.setApp(app, reason: "", message: "")
    table.setSlice(ObjectKey(namespace: "n", name: "s"), service: app, ready: endpoints(count))
    return table
  }
  private func admit(_ table: RoutingTable) -> Endpoint? {
    if case .admitted(let endpoint) = table.admit(app, limit: 100) { endpoint } else { nil }
  }

  @Test("idle pods take turns")
  func turns() {
    let table = table(3)
    var seen: [Endpoint] = []
    for _ in 0..<6 {
      guard let endpoint = admit(table) else { continue }
      seen.append(endpoint)
      table.finish(app, at: endpoint, status: 200, received: 0, sent: 0)
    }
    #expect(seen == endpoints(3) + endpoints(3))
  }

  @Test("the pod with the fewest requests under way is next")
  func leastInFlight() throws {
    let table = table(3)
    for _ in 0..<9 { _ = admit(table) }
    for _ in 0..<2 { table.finish(app, at: endpoints(3)[1], status: 200, received: 0, sent: 0) }
    #expect(admit(table) == endpoints(3)[1])
    #expect(admit(table) == endpoints(3)[1])
    #expect(table.inFlight == 9)
  }

  @Test("a request moves only to pods that were not tried")
  func moves() {
    let table = table(2)
    let first = admit(table)
    #expect(first == endpoints(2)[0])
    #expect(table.move(app, from: endpoints(2)[0], except: [endpoints(2)[0]]) == endpoints(2)[1])
    #expect(table.move(app, from: endpoints(2)[1], except: Set(endpoints(2))) == nil)
    table.finish(app, at: endpoints(2)[1], status: 200, received: 1, sent: 2)
    #expect(table.inFlight == 0)
    #expect(table.traffic[app]?.bytesToClients == 2)
  }

  @Test("a limit, a missing pod and a missing app are told apart")
  func decisions() {
    let table = table(1)
    #expect(table.admit(app, limit: 0) == .overloaded)
    table.setSlice(ObjectKey(namespace: "n", name: "s"), service: app, ready: [])
    table.setApp(app, reason: "Unschedulable", message: "no room")
    #expect(table.admit(app, limit: 9) == .notReady(reason: "Unschedulable", message: "no room"))
    table.removeApp(app)
    #expect(table.admit(app, limit: 9) == .unknown)
  }

  @Test("a pod that is being removed finishes its request, and the app is forgotten after it")
  func removal() {
    let table = table(1)
    let endpoint = admit(table)
    table.removeSlice(ObjectKey(namespace: "n", name: "s"))
    table.removeApp(app)
    #expect(table.inFlight == 1)
    if let endpoint { table.finish(app, at: endpoint, status: 200, received: 0, sent: 0) }
    #expect(table.inFlight == 0 && table.traffic.isEmpty)
  }

  @Test("slices count ready pods that are not terminating")
  func slices() {
    var slice = KubernetesObject(
      .endpointSlices, namespace: "n", name: "a-x", labels: ["kubernetes.io/service-name": "a"])
    slice["ports"] = [["port": 53, "protocol": "UDP"], ["port": 8080, "protocol": "TCP"]]
    slice["endpoints"] = [
      ["addresses": ["10.0.0.1"], "conditions": ["ready": true]],
      ["addresses": ["10.0.0.2"], "conditions": ["ready": false]],
      ["addresses": ["10.0.0.3"], "conditions": ["ready": true, "terminating": true]],
      ["addresses": ["10.0.0.4"]],
    ]
    let table = RoutingTable()
    table.apply(application: .added(KubernetesObject(.applications, namespace: "n", name: "a")))
    table.apply(endpointSlice: .added(slice))
    #expect(table.readyEndpoints(of: app).map(\.address) == ["10.0.0.1", "10.0.0.4"])
    table.apply(endpointSlice: .deleted(slice))
    #expect(table.readyEndpoints(of: app).isEmpty)
  }
}
