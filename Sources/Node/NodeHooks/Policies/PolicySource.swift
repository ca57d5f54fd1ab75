import KubernetesAPI
import Locking

/// Whose a namespace is, as far as that is known.
public enum NamespaceOwner: Sendable, Hashable {
  case tenant(String)
  case nobody
  /// It was not heard of yet. What holds for its tenant can't be told, so nothing is let through.
  case unknown
}

/// Policies, namespaces, and classes of volumes as they are now. Whoever asks gets an answer at once.
public final class PolicySource: Sendable {
  private struct State {
    var policies = PolicySet.empty
    var owners: [String: String] = [:]
    /// Namespaces that are not among the owners are nobody's, if true.
    var isComplete = true
    var generation = 0
    var volumes = VolumeClasses()
    /// Volumes of which something else is known by now.
    var changedVolumes: Set<String> = []
  }
  private let state = Mutex(State())

  public init() {}

  public var policies: PolicySet { state.withLock { $0.policies } }
  /// Grows with each change but those of single volumes.
  public var generation: Int { state.withLock { $0.generation } }

  public func owner(of namespace: String) -> NamespaceOwner {
    state.withLock { state in
      if let tenant = state.owners[namespace] { return tenant.isEmpty ? .nobody : .tenant(tenant) }
      return state.isComplete ? .nobody : .unknown
    }
  }

  /// The storage class of a volume, if it is known.
  public func storageClass(of volume: String) -> String? { state.withLock { $0.volumes.volume(volume)?.storageClass } }

  var volumeClasses: VolumeClasses { state.withLock { $0.volumes } }

  /// Volumes of which something else is known than when this was asked last.
  func takeChangedVolumes() -> Set<String> {
    state.withLock { state in
      defer { state.changedVolumes = [] }
      return state.changedVolumes
    }
  }

  public func use(_ policies: PolicySet) {
    state.withLock {
      $0.policies = policies
      $0.generation += 1
    }
  }

  /// - Parameters:
  ///   - owners: tenants by their namespaces; an empty text: nobody's.
  ///   - isComplete: whether there are no other namespaces that belong to a tenant.
  public func use(owners: [String: String], isComplete: Bool) {
    state.withLock {
      $0.owners = owners
      $0.isComplete = isComplete
      $0.generation += 1
    }
  }

  /// - Parameter tenant: `nil` if the namespace is gone.
  public func set(owner tenant: String?, of namespace: String) {
    state.withLock {
      guard $0.owners[namespace] != tenant else { return }
      $0.owners[namespace] = tenant
      $0.generation += 1
    }
  }

  /// Notes what a PersistentVolume, a StorageClass or a VolumeAttributesClass says.
  /// - Parameter isGone: it is no more.
  func note(_ object: KubernetesObject, isGone: Bool = false) {
    state.withLock { state in
      switch object.kind {
      case "PersistentVolume":
        let volume = isGone ? nil : VolumeClasses.Volume(object)
        if state.volumes.set(volume, of: object.name) { state.changedVolumes.insert(object.name) }
      case "StorageClass":
        let limits = isGone ? VolumeIOLimits() : VolumeIOLimits(class: object)
        if state.volumes.set(limits, ofStorageClass: object.name) { state.generation += 1 }
      case "VolumeAttributesClass":
        let limits = isGone ? VolumeIOLimits() : VolumeIOLimits(class: object)
        if state.volumes.set(limits, ofAttributesClass: object.name) { state.generation += 1 }
      default: break
      }
    }
  }

  /// Puts what a file says of volumes and classes in the place of what an earlier one said.
  func use(volumes objects: [KubernetesObject]) {
    state.withLock { state in
      state.volumes = VolumeClasses()
      state.generation += 1
    }
    for object in objects { note(object) }
  }
}
