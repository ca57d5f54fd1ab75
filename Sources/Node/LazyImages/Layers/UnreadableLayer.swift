import EROFS
import OCI

/// What is done with a layer that can't be mounted as it is: the one place that decides.
///
/// Hostile is what would get out of the container's root, or fill the disk. Whatever else we do not understand is left to
/// containerd, which may know better: a pull that overlayfs' snapshotter would do never fails here.
enum UnreadableLayer {
  case refuse(why: String)
  case unpack(why: String)

  /// - Parameter error: what reading or building the layer threw.
  /// - Returns: `nil` for errors that say nothing about the layer.
  init?(_ error: any Error) {
    switch error {
    case let error as TarError:
      switch error.reason {
      case .hostileName, .hostileLink, .tooLarge: self = .refuse(why: "\(error)")
      default: self = .unpack(why: "\(error)")
      }
    case let error as SeekError:
      if case .tooLarge = error.reason { self = .refuse(why: "\(error)") } else { self = .unpack(why: "\(error)") }
    case is LayerError, is GzipError, is ZstdError: self = .unpack(why: "\(error)")
    case let error as EROFSError: self = .unpack(why: "its files cannot be written as EROFS: \(error)")
    default: return nil
    }
  }
}
