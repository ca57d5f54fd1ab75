import JSONDocument
import KubernetesAPI
import KubernetesClient
import Testing

@testable import Edge

@Suite("Routes")
struct RoutingTests {
  static let hosts: [(String, String?)] = [
    ("hello.dev.demo.nagaya.test", "demo-dev/hello"), ("HELLO.Dev.Demo.NAGAYA.test:8443", "demo-dev/hello"),
    ("hello.dev.demo.nagaya.test.", "demo-dev/hello"), ("dev.demo.nagaya.test", nil), ("demo.nagaya.test", nil),
    ("nagaya.test", nil), ("x.hello.dev.demo.nagaya.test", nil), ("hello.dev.demo.other.test", nil),
    ("hello.dev.demonagaya.test", nil), ("hello..demo.nagaya.test", nil), ("-x.dev.demo.nagaya.test", nil),
    ("hello.dev.demo.nagaya.test:99999999", nil), ("hello.dev.demo.nagaya.test:port", nil),
    ("hello/.dev.demo.nagaya.test", nil), ("", nil), ("[::1]:8443", nil), ("user@hello.dev.demo.nagaya.test", nil),
    ("hello.dev.api.nagaya.test", nil), ("hello.dev.xn--dem-vna.nagaya.test", nil),
    ("hello.dev.demo.nagaya.test..", nil),
  ]

  @Test("hosts lead to apps", arguments: hosts)
  func host(authority: String, app: String?) {
    let table = RoutingTable()
    for (tenant, environment) in [("demo", "dev"), ("nagaya", "dev"), ("api", "dev"), ("xn--dem-vna", "dev")] {
      table.setEnvironment(
        TenantEnvironment(tenant: tenant, name: environment), ofNamespace: "\(tenant)-\(environment)")
    }
    let found = HostName.normalized(authority).flatMap { AppHost($0, below: "nagaya.test") }
    #expect(found.flatMap { table.app(at: $0) }?.description == app)
  }

  @Test("a host leads to the namespace whose labels say so, however names are cut by dashes")
  func dashes() {
    let table = RoutingTable()
    func namespace(_ name: String, _ tenant: String, _ environment: String) -> KubernetesObject {
      KubernetesObject(
        .namespaces, name: name,
        labels: [TenantEnvironment.tenantLabel: tenant, TenantEnvironment.environmentLabel: environment])
    }
    func found(_ host: String) -> String? {
      AppHost(host, below: "localhost").flatMap { table.app(at: $0) }?.description
    }
    table.apply(namespace: .added(namespace("a-b-c", "a-b", "c")))
    #expect(found("web.c.a-b.localhost") == "a-b-c/web")
    #expect(found("web.b-c.a.localhost") == nil)
    // A namespace whose name is another's is no environment, whatever its labels say.
    table.apply(namespace: .added(namespace("mine", "a-b", "c")))
    #expect(found("web.c.a-b.localhost") == "a-b-c/web")
    table.apply(namespace: .deleted(namespace("a-b-c", "a-b", "c")))
    #expect(found("web.c.a-b.localhost") == nil)
    table.apply(namespace: .added(namespace("a-b-c", "a", "b-c")))
    #expect(found("web.b-c.a.localhost") == "a-b-c/web" && found("web.c.a-b.localhost") == nil)
  }

  @Test(
    "a former host names the app's new one",
    arguments: [
      ("web.a-b-c.apps.test", "apps.test"), ("web.a-b-c.localhost", "localhost"),
      ("web.a-b-c.nagaya.localhost", "localhost"),
    ])
  func former(host: String, domain: String) throws {
    let table = RoutingTable()
    let key = ObjectKey(namespace: "a-b-c", name: "web")
    table.setEnvironment(TenantEnvironment(tenant: "a-b", name: "c"), ofNamespace: "a-b-c")
    #expect(AppHost(host, below: domain).flatMap { table.app(at: $0) } == nil)
    #expect(HostName.formerApp(of: host, domain: domain) == key)
    #expect(table.host(of: key) == nil)
    table.setApp(key, reason: "", message: "")
    #expect(table.host(of: key)?.name(below: domain) == "web.c.a-b.\(domain)")
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
  private func admit(_ table: RoutingTable, limit: Int = 100) -> RequestSlot? {
    if case .admitted(let slot) = table.admit(app, limit: limit) { slot } else { nil }
  }

  @Test("idle pods take turns")
  func turns() {
    let table = table(3)
    var seen: [Endpoint] = []
    for _ in 0..<6 {
      guard let slot = admit(table) else { continue }
      seen.append(slot.endpoint)
      slot.finish(status: 200)
    }
    #expect(seen == endpoints(3) + endpoints(3))
  }

  @Test("the pod with the fewest requests under way is next")
  func leastInFlight() throws {
    let table = table(3)
    var slots = (0..<9).compactMap { _ in admit(table) }
    for slot in slots.filter({ $0.endpoint == endpoints(3)[1] }).prefix(2) { slot.finish(status: 200) }
    for _ in 0..<2 { if let slot = admit(table) { slots.append(slot) } }
    #expect(slots.suffix(2).map(\.endpoint) == [endpoints(3)[1], endpoints(3)[1]])
    #expect(table.inFlight == 9)
  }

  @Test("a request gives back its place once, also when nobody says that it is over")
  func slots() {
    let table = table(1)
    var slot = admit(table, limit: 1)
    #expect(slot != nil && admit(table, limit: 1) == nil)
    slot?.finish(status: 200)
    slot?.finish(status: 200)
    #expect(table.inFlight == 0 && slot?.move(except: []) == false)
    slot = admit(table, limit: 1)
    #expect(table.inFlight == 1)
    slot = nil
    #expect(table.inFlight == 0)
    #expect(table.traffic[app]?.answers == [1, 0, 1, 0, 0, 0])
  }

  @Test("a request moves only to pods that were not tried")
  func moves() {
    let table = table(2)
    let slot = admit(table)
    #expect(slot?.endpoint == endpoints(2)[0])
    #expect(slot?.move(except: [endpoints(2)[0]]) == true && slot?.endpoint == endpoints(2)[1])
    #expect(slot?.move(except: Set(endpoints(2))) == false && slot?.endpoint == endpoints(2)[1])
    slot?.finish(status: 200, received: 1, sent: 2)
    #expect(table.inFlight == 0)
    #expect(table.traffic[app]?.bytesToClients == 2)
  }

  @Test("a limit, a missing pod and a missing app are told apart")
  func decisions() {
    let table = table(1)
    func decision(limit: Int) -> String {
      switch table.admit(app, limit: limit) {
      case .unknown: "unknown"
      case .notReady(let reason, let message): "\(reason): \(message)"
      case .overloaded: "overloaded"
      case .admitted: "admitted"
      }
    }
    #expect(decision(limit: 0) == "overloaded")
    table.setSlice(ObjectKey(namespace: "n", name: "s"), service: app, ready: [])
    table.setApp(app, reason: "Unschedulable", message: "no room")
    #expect(decision(limit: 9) == "Unschedulable: no room")
    table.removeApp(app)
    #expect(decision(limit: 9) == "unknown")
  }

  @Test("a pod that is being removed finishes its request, and the app is forgotten after it")
  func removal() {
    let table = table(1)
    let slot = admit(table)
    table.removeSlice(ObjectKey(namespace: "n", name: "s"))
    table.removeApp(app)
    #expect(table.inFlight == 1)
    slot?.finish(status: 200)
    #expect(table.inFlight == 0 && table.traffic.isEmpty)
  }

  @Test("slices count ready pods that are not terminating")
  func slices() {
    var slice = KubernetesObject(
      .endpointSlices, namespace: "n", name: "a-x", labels: ["kubernetes.io/service-name": "a"])
    slice["ports"] = [["port": 53, "protocol": "UDP"], ["port": 8080, "protocol": "TCP"]]
    func target(_ number: Int) -> JSONValue { ["kind": "Pod", "name": "p\(number)", "uid": "u\(number)"] }
    slice["endpoints"] = [
      ["addresses": ["10.0.0.1"], "conditions": ["ready": true], "targetRef": target(1)],
      ["addresses": ["10.0.0.2"], "conditions": ["ready": false], "targetRef": target(2)],
      ["addresses": ["10.0.0.3"], "conditions": ["ready": true, "terminating": true], "targetRef": target(3)],
      ["addresses": ["10.0.0.4"], "targetRef": target(4)],
    ]
    let table = RoutingTable()
    for number in 1...4 {
      var pod = KubernetesObject(.pods, namespace: "n", name: "p\(number)")
      pod.metadata["uid"] = .string("u\(number)")
      pod.status = ["podIP": .string("10.0.0.\(number)")]
      table.apply(pod: .added(PodAddresses.trimmed(pod)))
    }
    table.apply(application: .added(KubernetesObject(.applications, namespace: "n", name: "a")))
    table.apply(endpointSlice: .added(slice))
    #expect(table.readyEndpoints(of: app).map(\.address) == ["10.0.0.1", "10.0.0.4"])
    table.apply(endpointSlice: .deleted(slice))
    #expect(table.readyEndpoints(of: app).isEmpty)
  }
}
