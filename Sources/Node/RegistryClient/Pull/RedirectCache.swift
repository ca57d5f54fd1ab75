import Locking
import OCI

/// Where hosts sent us for blobs: the next part of a blob is asked for there at once.
///
/// Such addresses are signed and run out; then the host is asked again.
final class RedirectCache: Sendable {
  struct Key: Hashable, Sendable {
    let origin: String
    let repository: String
    let blob: Digest
    /// Whose request was sent on; `nil`: nobody's in particular.
    var credential: RegistryCredential?
  }

  private struct State {
    var addresses: [Key: HTTPAddress] = [:]
    var order: [Key] = []
  }

  private let state = Mutex(State())
  private let capacity: Int

  init(capacity: Int = 4096) { self.capacity = capacity }

  subscript(key: Key) -> HTTPAddress? {
    get { state.withLock { $0.addresses[key] } }
    set {
      state.withLock { state in
        guard let newValue else {
          state.addresses[key] = nil
          return
        }
        if state.addresses.updateValue(newValue, forKey: key) == nil { state.order.append(key) }
        while state.order.count > capacity { state.addresses[state.order.removeFirst()] = nil }
      }
    }
  }
}
