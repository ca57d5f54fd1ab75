/// Why a store could not do what it was asked.
public enum StoreError: Error, Hashable, CustomStringConvertible {
  /// The disk (or the store's own bound) is full: nothing of the batch was written; reads go on.
  case full(path: String)
  /// An object is not as the batch expected it; nothing of the batch was written.
  case preconditionFailed(StoreKey)
  /// The batch's revisions do not follow the store's.
  case revisionNotIncreasing(UInt64, current: UInt64)
  /// The revision that was asked for is no longer (or not yet) the newest one, and only that is kept.
  case moved(asked: UInt64, current: UInt64)
  /// The file is no store, or is damaged.
  case corrupt(path: String, detail: String)
  /// A later version wrote the file.
  case newerFormat(path: String, version: Int)
  case failed(path: String, detail: String)

  public var description: String {
    switch self {
    case .full(let path): "no space left for \(path): free space on its disk, then repeat the write"
    case .preconditionFailed(let key): "\(key) is not as expected"
    case .revisionNotIncreasing(let revision, let current): "revision \(revision) does not follow \(current)"
    case .moved(let asked, let current): "revision \(asked) was asked for, the store is at \(current)"
    case .corrupt(let path, let detail): "\(path) is damaged (\(detail)): restore it from a backup"
    case .newerFormat(let path, let version):
      "\(path) was written by a later version (format \(version)): use that version"
    case .failed(let path, let detail): "\(path): \(detail)"
    }
  }
}
