public import KubernetesAPI
public import KubernetesClient
import Locking
public import Logging
public import ServiceLifecycle

/// Fills a source with what an API server says: policies, whose namespaces are, and which classes volumes have.
public struct PolicyInformers: Service {
  private let informers: [Informer]
  private let table: PolicyTable

  /// - Parameter builtIn: policies that hold beside those of the API.
  public init(_ client: KubernetesClient, source: PolicySource, builtIn: [NodePolicy] = [], logger: Logger) {
    let policies = Informer(client, .nodePolicies, logger: logger)
    let namespaces = Informer(client, .namespaces, transform: { Self.short($0, .namespaces) }, logger: logger)
    let volumes = Informer(client, .persistentVolumes, transform: Self.shortVolume, logger: logger)
    let classes = [Resource.storageClasses, .volumeAttributesClasses].map { resource in
      Informer(client, resource, transform: { Self.shortClass($0, resource) }, logger: logger)
    }
    informers = [policies, namespaces, volumes] + classes
    let table = PolicyTable(source, builtIn: builtIn, logger: logger)
    self.table = table
    // Until all is here, whatever is about a tenant is refused.
    source.use(owners: [:], isComplete: false)
    policies.onEvent { event in
      switch event {
      case .added(let object), .updated(_, let object): table.set(object, isSynced: policies.isSynced)
      case .deleted(let object): table.remove(object.name)
      }
    }
    namespaces.onEvent { event in
      switch event {
      case .added(let object), .updated(_, let object):
        source.set(owner: object.labels[NamespaceLabels.tenant] ?? "", of: object.name)
      case .deleted(let object): source.set(owner: nil, of: object.name)
      }
    }
    for informer in [volumes] + classes {
      informer.onEvent { event in
        switch event {
        case .added(let object), .updated(_, let object): source.note(object)
        case .deleted(let object): source.note(object, isGone: true)
        }
      }
    }
  }

  private static func shortVolume(_ volume: KubernetesObject) -> KubernetesObject {
    var short = short(volume, .persistentVolumes)
    short.labels = [:]
    for key in ["storageClassName", "volumeAttributesClassName"] {
      short.spec.set(key, ifPresent: volume.spec[key].string.map { .string($0) })
    }
    if let driver = volume.spec["csi"]["driver"].string { short.spec["csi"]["driver"] = .string(driver) }
    return short
  }

  private static func shortClass(_ object: KubernetesObject, _ resource: Resource) -> KubernetesObject {
    var short = short(object, resource)
    short.labels = [:]
    for key in ["provisioner", "driverName", "parameters"] where !object[key].isNull { short[key] = object[key] }
    return short
  }

  private static func short(_ object: KubernetesObject, _ resource: Resource) -> KubernetesObject {
    var short = KubernetesObject(resource, name: object.name)
    short.metadata = ["name": .string(object.name), "resourceVersion": .string(object.resourceVersion)]
    short.labels = object.labels
    return short
  }

  /// Returns when everything that was there at the start is in the source.
  public func waitUntilSynced() async throws {
    for informer in informers { try await informer.waitUntilSynced() }
    table.publish()
  }

  public func run() async throws {
    try await ServiceSet(informers).run()
  }
}

/// The API's policies, read once each.
private final class PolicyTable: Sendable {
  private let source: PolicySource
  private let builtIn: [NodePolicy]
  private let logger: Logger
  private let policies = Mutex<[String: NodePolicy]>([:])

  init(_ source: PolicySource, builtIn: [NodePolicy], logger: Logger) {
    self.source = source
    self.builtIn = builtIn
    self.logger = logger
  }

  /// - Parameter isSynced: whether the rest is here, so that the whole may hold.
  func set(_ object: KubernetesObject, isSynced: Bool) {
    do throws(NodePolicy.Faults) {
      let policy = try NodePolicy(object)
      policies.withLock { $0[object.name] = policy }
    } catch {
      // The API server reads policies in the same way; one of another version may say what is not known here.
      logger.error("a node policy is not understood; as it was before, it holds", metadata: ["error": "\(error)"])
    }
    if isSynced { publish() }
  }

  func remove(_ name: String) {
    _ = policies.withLock { $0.removeValue(forKey: name) }
    publish()
  }

  func publish() { source.use(PolicySet(builtIn + policies.withLock { Array($0.values) })) }
}
