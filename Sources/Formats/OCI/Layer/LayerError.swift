/// Why a layer's members do not make a file tree that could be mounted.
public struct LayerError: Error, Hashable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    case tooManyNodes(limit: Int)
    case nameTooLong
    /// A part of the path is a file, a device or a symbolic link of the same layer.
    case parentIsNoDirectory
    /// The target is not in this layer, or links lead in a circle.
    case missingLinkTarget
    case linkToDirectory
    /// `.wh.` with nothing, `.` or `..` behind it.
    case badWhiteout
    /// An extent outside of its file, or two that overlap.
    case badExtent
  }

  public let reason: Reason
  /// The member, as text.
  public let path: String

  public init(_ reason: Reason, path: some Sequence<UInt8>) {
    self.reason = reason
    self.path = String(decoding: Array(path), as: UTF8.self)
  }

  public var description: String {
    let what =
      switch reason {
      case .tooManyNodes(let limit): "the layer has more than \(limit) files"
      case .nameTooLong: "a part of the name is longer than 255 bytes"
      case .parentIsNoDirectory: "a part of the path is not a directory in this layer"
      case .missingLinkTarget: "the hard link's target is not in this layer"
      case .linkToDirectory: "a hard link to a directory"
      case .badWhiteout: "a malformed whiteout"
      case .badExtent: "the file's content lies outside of the file or overlaps"
      }
    return path.isEmpty ? what : "\(path): \(what)"
  }
}
