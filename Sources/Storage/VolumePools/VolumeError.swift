/// Why a pool refuses or fails. Every case names the volume and says what to do.
public enum VolumeError: Error, Sendable, Hashable, CustomStringConvertible {
  case invalidName(String)
  case invalidSize(volume: String, reason: String)
  case notFound(volume: String)
  /// The name is taken by a volume that is not what was asked for.
  case conflict(volume: String, reason: String)
  case noSpace(volume: String, pool: String, requestedBytes: Int64, availableBytes: Int64)
  case inUse(volume: String, by: String)
  case foreignData(volume: String, found: String)
  case growNeedsUnmount(volume: String)
  /// It is being copied to or from another node.
  case moving(volume: String)
  case poolInUse(pool: String, directory: String)
  /// The pool has room by its numbers, but what it lies in is too full to take more.
  case poolFull(volume: String, pool: String, reason: String)
  /// What the pool lies in cannot be used now.
  case poolUnavailable(pool: String, reason: String)
  /// What a new volume is to begin with is not there.
  case sourceNotFound(volume: String, source: VolumeSource)
  /// A new volume can't be what was asked for and begin with that.
  case sourceUnfit(volume: String, source: VolumeSource, reason: String)
  /// The name is taken by a snapshot of something else.
  case snapshotConflict(snapshot: String, reason: String)
  /// What a volume holds can't be kept or copied now.
  case notCopied(volume: String, reason: String)
  /// A call of the kernel or of a program failed.
  case failed(volume: String, doing: String, reason: String)

  public var description: String {
    switch self {
    case .invalidName(let name):
      "invalid volume name \"\(name.prefix(80))\": use 1 to 128 letters, digits, '-', '_' and '.', beginning with a letter or digit"
    case .invalidSize(let volume, let reason): "volume \(volume): \(reason)"
    case .notFound(let volume): "volume \(volume) not found in any pool of this node; it may have been deleted"
    case .conflict(let volume, let reason):
      "volume \(volume) exists already, \(reason); choose another name or the same size and parameters"
    case .noSpace(let volume, let pool, let requested, let available):
      "volume \(volume): \(requested) bytes requested, \(available) bytes available in pool \(pool); delete volumes, enlarge the pool or ask for less"
    case .inUse(let volume, let by): "volume \(volume) is in use (\(by)); unmount it first"
    case .foreignData(let volume, let found):
      "volume \(volume) holds \(found) that was not made here; it is not formatted over. Wipe it (wipefs -a) or delete the volume"
    case .growNeedsUnmount(let volume):
      "the file system of volume \(volume) cannot grow while mounted on this node; it will when the volume is next staged: restart its pod"
    case .moving(let volume):
      "volume \(volume) is being moved to or from another node; try again when it has (nagaya get moves)"
    case .poolInUse(let pool, let directory):
      "pool \(pool) (\(directory)) is held by another process; end that one first"
    case .poolFull(let volume, let pool, let reason): "volume \(volume): pool \(pool) takes no more: \(reason)"
    case .poolUnavailable(let pool, let reason): "pool \(pool) cannot be used: \(reason)"
    case .sourceNotFound(let volume, let source):
      "volume \(volume): its source, \(source), is not in this pool; it may have been deleted, or lie on another node or in another pool"
    case .sourceUnfit(let volume, let source, let reason): "volume \(volume) can't be made of \(source): \(reason)"
    case .snapshotConflict(let snapshot, let reason):
      "snapshot \(snapshot) exists already, \(reason); choose another name"
    case .notCopied(let volume, let reason): "what volume \(volume) holds can't be copied now: \(reason)"
    case .failed(let volume, let doing, let reason): "volume \(volume): \(doing) failed: \(reason)"
    }
  }
}
