import KubernetesAPI
import Locking

/// Tells each claim's request, growth and end apart, so that whoever learns from them learns each once.
///
/// A claim is known by its uid: what is listed anew, or changes in other ways, says nothing new.
final class ClaimHistory: Sendable {
  private struct Known {
    var pool: String
    var bytes: Int64
    /// How often it has grown.
    var times = 0
  }

  private let claims = Mutex<[String: Known]>([:])

  /// What a claim as it is now says that was not known.
  /// - Parameter pool: what its class takes volumes from; `nil` while that is unknown: nothing is learned yet.
  func observe(_ claim: KubernetesObject, pool: String?) -> VolumeObservation? {
    let bytes = PodVolumes.bytes(of: claim)
    guard bytes > 0 else { return nil }
    return claims.withLock { claims in
      guard let known = claims[claim.uid] else {
        guard let pool, !claim.isBeingDeleted else { return nil }
        claims[claim.uid] = Known(pool: pool, bytes: bytes)
        return .requested(pool: pool, bytes: bytes)
      }
      guard bytes > known.bytes else { return nil }
      claims[claim.uid]?.bytes = bytes
      claims[claim.uid]?.times += 1
      return .grew(pool: known.pool, from: known.bytes, to: bytes, times: known.times)
    }
  }

  /// A claim is gone.
  func end(_ uid: String) -> VolumeObservation? {
    claims.withLock { $0.removeValue(forKey: uid) }.map { .ended(pool: $0.pool, bytes: $0.bytes, times: $0.times) }
  }
}
