public import LinuxSystem
import OCI

/// What the store could not do, and why.
public enum LayerStoreError: Error, Sendable, CustomStringConvertible {
  /// This machine, or the file system of the directory, cannot fill layers while they are read.
  case unsupported(why: String)
  /// Another process uses the same directories.
  case inUse(directory: String)
  case unknownLayer(LayerKey)
  /// The layer's file system is in use: it cannot be unmounted, or not be removed.
  case busy(LayerKey)
  /// Content without digests, or in pieces too large for memory.
  case unusable(LayerKey, why: String)
  /// What lies on the disk is not what was put there.
  case damaged(LayerKey, why: String)
  /// The layer was removed while it was filled.
  case removed(LayerKey)
  case system(SystemError)

  public var description: String {
    switch self {
    case .unsupported(let why): "layers cannot be filled while they are read: \(why)"
    case .inUse(let directory): "another process uses the layers in \(directory); stop it first"
    case .unknownLayer(let key): "layer \(key) is not in the store"
    case .busy(let key): "layer \(key) is in use; stop the containers of its images first"
    case .unusable(let key, let why): "layer \(key) cannot be filled in pieces: \(why)"
    case .damaged(let key, let why): "layer \(key) is damaged on this machine: \(why)"
    case .removed(let key): "layer \(key) was removed"
    case .system(let error): "\(error)"
    }
  }
}
