import KubernetesAPI
import Locking

/// Where a pod's server listens.
public struct Endpoint: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// An IP address.
  public let address: String
  public let port: Int

  public init(address: String, port: Int) {
    self.address = address
    self.port = port
  }

  public var description: String { address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)" }

  public static func < (left: Endpoint, right: Endpoint) -> Bool {
    (left.address, left.port) < (right.address, right.port)
  }
}

/// What the edge did for one app.
public struct AppTraffic: Sendable, Hashable {
  public var requests = 0
  /// Answers by the first digit of their status: index 1 to 5; 0 for clients that left before an answer.
  public var answers = [0, 0, 0, 0, 0, 0]
  public var inFlight = 0
  /// Requests that were sent to a second pod.
  public var retries = 0
  /// Bytes of bodies.
  public var bytesFromClients = 0
  public var bytesToClients = 0
}

/// Which app has which ready pods, and who works on how many requests.
///
/// A request goes to the ready pod with the fewest requests under way; among equals they take turns.
public final class RoutingTable: Sendable {
  /// Where a request may go.
  public enum Decision {
    /// No app has this host.
    case unknown
    /// The app has no ready pod; why, in the words of its status.
    case notReady(reason: String, message: String)
    /// As many requests as allowed are under way.
    case overloaded
    /// Counted as under way, as long as the slot says.
    case admitted(RequestSlot)
  }

  private struct App {
    var isKnown = false
    var reason = ""
    var message = ""
    /// Sorted, each once.
    var ready: [Endpoint] = []
    var underway: [Endpoint: Int] = [:]
    var turn = 0
    var traffic = AppTraffic()
  }

  private struct State {
    var apps: [ObjectKey: App] = [:]
    /// Ready addresses by slice, with the service that the slice is of.
    var slices: [ObjectKey: (service: ObjectKey, ready: [Backend])] = [:]
    /// Pods of apps, and the slices that name them.
    var pods: [ObjectKey: PodAddresses] = [:]
    var slicesOfPod: [ObjectKey: Set<ObjectKey>] = [:]
    var slicesOfService: [ObjectKey: Set<ObjectKey>] = [:]
    var inFlight = 0
    /// Namespaces of tenants, by name.
    var environments: [String: TenantEnvironment] = [:]
  }

  private let state = Mutex(State())

  public init() {}

  // MARK: What there is

  /// A namespace is an environment of a tenant; `nil`: of none, or it is gone. Only apps of environments have hosts.
  public func setEnvironment(_ environment: TenantEnvironment?, ofNamespace namespace: String) {
    state.withLock { $0.environments[namespace] = environment }
  }

  /// The app at a host, whether or not it exists; `nil` if there is no such environment.
  ///
  /// The namespace is found by what it says of itself: a host is never matched by splitting a namespace's name.
  public func app(at host: AppHost) -> ObjectKey? {
    let namespace = host.environment.namespace
    guard state.withLock({ $0.environments[namespace] }) == host.environment else { return nil }
    return ObjectKey(namespace: namespace, name: host.app)
  }

  /// The host of an app that exists.
  func host(of key: ObjectKey) -> AppHost? {
    state.withLock { state in
      guard state.apps[key]?.isKnown == true, let environment = state.environments[key.namespace] else { return nil }
      return AppHost(app: key.name, in: environment)
    }
  }

  /// An app exists; `reason` and `message` are those of its Ready condition.
  public func setApp(_ key: ObjectKey, reason: String, message: String) {
    state.withLock { state in
      state.apps[key, default: App()].isKnown = true
      state.apps[key]?.reason = reason
      state.apps[key]?.message = message
    }
  }

  public func removeApp(_ key: ObjectKey) {
    state.withLock { state in
      state.apps[key]?.isKnown = false
      Self.forgetIfUnused(key, in: &state)
    }
  }

  /// The ready addresses of one slice of a service, as they are; the service has its app's name.
  public func setSlice(_ slice: ObjectKey, service: ObjectKey, ready: [Endpoint]) {
    setSlice(slice, service: service, backends: ready.map { Backend(endpoint: $0, pod: nil) })
  }

  /// What one slice of a service says. Used is only what the pods themselves have.
  func setSlice(_ slice: ObjectKey, service: ObjectKey, backends: [Backend]) {
    state.withLock { state in
      if let old = state.slices[slice], old.service != service { Self.dropSlice(slice, in: &state) }
      Self.unlinkPods(of: slice, in: &state)
      state.slices[slice] = (service, backends)
      for pod in backends.compactMap(\.pod) { state.slicesOfPod[pod.key, default: []].insert(slice) }
      state.slicesOfService[service, default: []].insert(slice)
      Self.collectReady(of: service, in: &state)
    }
  }

  /// A pod and its addresses as its node reported them; `nil`: it is gone, or has none.
  func setPod(_ key: ObjectKey, _ addresses: PodAddresses?) {
    state.withLock { state in
      guard state.pods[key] != addresses else { return }
      state.pods[key] = addresses
      for service in Set((state.slicesOfPod[key] ?? []).compactMap { state.slices[$0]?.service }) {
        Self.collectReady(of: service, in: &state)
      }
    }
  }

  public func removeSlice(_ slice: ObjectKey) {
    state.withLock { Self.dropSlice(slice, in: &$0) }
  }

  private static func dropSlice(_ slice: ObjectKey, in state: inout State) {
    unlinkPods(of: slice, in: &state)
    guard let old = state.slices.removeValue(forKey: slice) else { return }
    state.slicesOfService[old.service]?.remove(slice)
    if state.slicesOfService[old.service]?.isEmpty == true { state.slicesOfService[old.service] = nil }
    collectReady(of: old.service, in: &state)
  }

  private static func unlinkPods(of slice: ObjectKey, in state: inout State) {
    for pod in (state.slices[slice]?.ready ?? []).compactMap(\.pod) {
      state.slicesOfPod[pod.key]?.remove(slice)
      if state.slicesOfPod[pod.key]?.isEmpty == true { state.slicesOfPod[pod.key] = nil }
    }
  }

  private static func collectReady(of service: ObjectKey, in state: inout State) {
    var ready: Set<Endpoint> = []
    for slice in state.slicesOfService[service] ?? [] {
      for backend in state.slices[slice]?.ready ?? [] {
        if let pod = backend.pod, state.pods[pod.key]?.has(backend.endpoint.address, uid: pod.uid) != true { continue }
        ready.insert(backend.endpoint)
      }
    }
    state.apps[service, default: App()].ready = ready.sorted()
    forgetIfUnused(service, in: &state)
  }

  private static func forgetIfUnused(_ key: ObjectKey, in state: inout State) {
    guard let app = state.apps[key], !app.isKnown, app.ready.isEmpty, app.traffic.inFlight == 0 else { return }
    state.apps[key] = nil
  }

  // MARK: Requests

  /// Takes a request on, if the app may have another one and has a ready pod.
  public func admit(_ key: ObjectKey, limit: Int) -> Decision {
    state.withLock { state in
      guard var app = state.apps[key], app.isKnown else { return .unknown }
      state.apps[key] = nil  // gives up the second reference, so that the change is made in place
      defer { state.apps[key] = app }
      guard app.traffic.inFlight < limit else { return .overloaded }
      guard let endpoint = Self.choose(&app, except: []) else {
        return .notReady(reason: app.reason, message: app.message)
      }
      app.underway[endpoint, default: 0] += 1
      app.traffic.inFlight += 1
      app.traffic.requests += 1
      state.inFlight += 1
      return .admitted(RequestSlot(key, at: endpoint, of: self))
    }
  }

  /// For `RequestSlot`: moves a request to another ready pod; `nil`, and nothing changed, if there is none.
  func move(_ key: ObjectKey, from endpoint: Endpoint, except tried: Set<Endpoint>) -> Endpoint? {
    state.withLock { state in
      guard var app = state.apps[key], let next = Self.choose(&app, except: tried) else { return nil }
      Self.leave(endpoint, &app)
      app.underway[next, default: 0] += 1
      app.traffic.retries += 1
      state.apps[key] = app
      return next
    }
  }

  /// For `RequestSlot`: the request is over.
  func finish(_ key: ObjectKey, at endpoint: Endpoint, status: Int, received: Int, sent: Int) {
    state.withLock { state in
      state.inFlight -= 1
      guard var app = state.apps[key] else { return }
      Self.leave(endpoint, &app)
      app.traffic.inFlight -= 1
      app.traffic.answers[(1...5).contains(status / 100) ? status / 100 : 0] += 1
      app.traffic.bytesFromClients += received
      app.traffic.bytesToClients += sent
      state.apps[key] = app
      Self.forgetIfUnused(key, in: &state)
    }
  }

  /// A request that was answered without asking a pod.
  public func refused(_ key: ObjectKey, status: Int) {
    state.withLock { state in
      guard state.apps[key] != nil else { return }
      state.apps[key]?.traffic.requests += 1
      state.apps[key]?.traffic.answers[(1...5).contains(status / 100) ? status / 100 : 0] += 1
    }
  }

  private static func choose(_ app: inout App, except tried: Set<Endpoint>) -> Endpoint? {
    let count = app.ready.count
    var best: (endpoint: Endpoint, load: Int, position: Int)?
    for offset in 0..<count {
      let position = (app.turn + offset) % count
      let endpoint = app.ready[position]
      if tried.contains(endpoint) { continue }
      let load = app.underway[endpoint] ?? 0
      if best.map({ load < $0.load }) ?? true { best = (endpoint, load, position) }
      if load == 0 { break }
    }
    if let best { app.turn = (best.position + 1) % count }
    return best?.endpoint
  }

  private static func leave(_ endpoint: Endpoint, _ app: inout App) {
    let left = (app.underway[endpoint] ?? 1) - 1
    app.underway[endpoint] = left > 0 ? left : nil
  }

  // MARK: What is seen

  /// Requests under way, over all apps.
  public var inFlight: Int { state.withLock { $0.inFlight } }

  /// The counters of every known app, for metrics.
  public var traffic: [ObjectKey: AppTraffic] {
    state.withLock { state in state.apps.filter(\.value.isKnown).mapValues(\.traffic) }
  }

  /// The ready pods of an app.
  public func readyEndpoints(of key: ObjectKey) -> [Endpoint] { state.withLock { $0.apps[key]?.ready ?? [] } }
}
