/// How a metadata image is written.
public struct EROFSOptions: Sendable, Hashable {
  /// The unit in which content is addressed.
  public enum BlockSize: Int, Sendable, Hashable {
    /// For data devices that are tar archives: content begins at any multiple of 512.
    case tar = 512
    /// For packed data devices: content begins at multiples of 4096.
    case page = 4096

    var bits: UInt8 { self == .tar ? 9 : 12 }
  }

  /// Which names overlayfs reads its marks under.
  public enum OverlayMarks: String, Sendable, Hashable {
    /// The usual ones.
    case trusted = "trusted.overlay."
    /// For overlays mounted with `userxattr`, in user namespaces.
    case user = "user.overlay."
  }

  public var blockSize: BlockSize
  /// Size of every data device in bytes, in the order of their numbers; one for the tree of a single layer.
  public var deviceBytes: [Int64]
  public var overlayMarks: OverlayMarks
  /// Identifies the file system; 16 bytes. Derive it from the layer's digest, so that it repeats.
  public var uuid: [UInt8]
  /// The largest metadata image that is written, in bytes.
  public var limitBytes: Int64

  public init(
    blockSize: BlockSize = .page, deviceBytes: [Int64], overlayMarks: OverlayMarks = .trusted,
    uuid: [UInt8] = [UInt8](repeating: 0, count: 16), limitBytes: Int64 = 4 << 30
  ) {
    self.blockSize = blockSize
    self.deviceBytes = deviceBytes
    self.overlayMarks = overlayMarks
    self.uuid = uuid
    self.limitBytes = limitBytes
  }
}

/// Why a tree cannot be written as an EROFS image.
public struct EROFSError: Error, Hashable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    case tooLarge(limitBytes: Int64)
    /// Content that does not begin, or go on, at a multiple of the block size.
    case unalignedExtent(blockSize: Int)
    /// Content outside of its data device, or on a device that there is not.
    case extentOutsideDevice
    case attributesTooLarge
    case nameTooLong
    case linkTargetTooLong
    case tooManyDevices(limit: Int)
    case badUUID
  }

  public let reason: Reason
  /// The number of the file in the tree.
  public let node: Int

  public init(_ reason: Reason, node: Int = 0) {
    self.reason = reason
    self.node = node
  }

  public var description: String {
    switch reason {
    case .tooLarge(let limit): "the file system's metadata is larger than \(limit) bytes"
    case .unalignedExtent(let size): "file \(node): its content does not begin at a multiple of \(size) bytes"
    case .extentOutsideDevice: "file \(node): its content lies outside of the data device"
    case .attributesTooLarge: "file \(node): its extended attributes are larger than EROFS can hold"
    case .nameTooLong: "file \(node): its name is longer than 255 bytes"
    case .linkTargetTooLong: "file \(node): its target is longer than a path may be"
    case .tooManyDevices(let limit): "more than \(limit) data devices"
    case .badUUID: "a UUID has 16 bytes"
    }
  }
}
