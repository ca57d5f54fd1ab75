import BoundedNumbers

/// The rules for sizes of volumes.
enum VolumeSize {
  /// The largest size a pool is asked for: 1 PiB; a guard against arithmetic, not a promise.
  static let maximumBytes: Int64 = 1 << 50

  /// The size that a volume gets.
  /// - Parameters:
  ///   - limit: bytes; 0: no bound.
  ///   - unit: bytes of which it is a multiple: a block, or an extent.
  static func rounded(_ bytes: Int64, limit: Int64, unit: Int64, fileSystem: FileSystemType?, volume: String)
    throws(VolumeError) -> Int64
  {
    guard VolumeName.isValid(volume) else { throw .invalidName(volume) }
    guard bytes >= 0, limit >= 0 else { throw .invalidSize(volume: volume, reason: "a size must not be negative") }
    guard limit == 0 || bytes <= limit else {
      throw .invalidSize(volume: volume, reason: "\(bytes) bytes required but at most \(limit) allowed")
    }
    guard bytes <= maximumBytes else {
      throw .invalidSize(volume: volume, reason: "\(bytes) bytes are more than a volume can have (\(maximumBytes))")
    }
    // Nothing asked for: 1 GiB, as others do.
    let wanted = bytes == 0 ? (limit == 0 ? 1 << 30 : min(limit, 1 << 30)) : bytes
    let least = max(wanted, FileSystemType.minimumBytes(of: fileSystem))
    let rounded = least.clampedAdding(unit - 1) / unit * unit
    guard limit == 0 || rounded <= limit else {
      throw .invalidSize(
        volume: volume,
        reason: "the least possible size is \(rounded) bytes but at most \(limit) are allowed; raise the limit")
    }
    return rounded
  }
}
