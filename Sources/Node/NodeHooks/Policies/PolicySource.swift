import KubernetesAPI
import Locking

/// Whose a namespace is, as far as that is known.
public enum NamespaceOwner: Sendable, Hashable {
  case tenant(String)
  case nobody
  /// It was not heard of yet. What holds for its tenant can't be told, so nothing is let through.
  case unknown
}

/// Policies and namespaces as they are now. Whoever asks gets an answer at once.
public final class PolicySource: Sendable {
  private struct State {
    var policies = PolicySet.empty
    var owners: [String: String] = [:]
    /// Namespaces that are not among the owners are nobody's, if true.
    var isComplete = true
    var generation = 0
    /// Volumes' classes by the name of the volume.
    var classes: [String: String] = [:]
  }
  private let state = Mutex(State())

  public init() {}

  public var policies: PolicySet { state.withLock { $0.policies } }
  /// Grows with each change.
  public var generation: Int { state.withLock { $0.generation } }

  public func owner(of namespace: String) -> NamespaceOwner {
    state.withLock { state in
      if let tenant = state.owners[namespace] { return tenant.isEmpty ? .nobody : .tenant(tenant) }
      return state.isComplete ? .nobody : .unknown
    }
  }

  /// The storage class of a volume, if it is known.
  public func storageClass(of volume: String) -> String? { state.withLock { $0.classes[volume] } }

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

  public func set(storageClass: String?, of volume: String) {
    state.withLock {
      guard $0.classes[volume] != storageClass else { return }
      $0.classes[volume] = storageClass
      $0.generation += 1
    }
  }
}
