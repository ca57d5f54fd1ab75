/// What a new volume begins with.
public enum VolumeSource: Sendable, Hashable, CustomStringConvertible {
  case snapshot(String)
  /// What it holds at one instant while the new one is made.
  case volume(String)

  var name: String {
    switch self {
    case .snapshot(let name), .volume(let name): name
    }
  }

  public var description: String {
    switch self {
    case .snapshot(let name): "snapshot \(name.prefix(128))"
    case .volume(let name): "volume \(name.prefix(128))"
    }
  }

  /// `snapshot/NAME`, `volume/NAME`: no name has a slash.
  var encoded: String {
    switch self {
    case .snapshot(let name): "snapshot/\(name)"
    case .volume(let name): "volume/\(name)"
    }
  }

  /// By what changes of it wait for each other: a volume's is its name, a snapshot's is no volume's.
  var gateKey: String {
    if case .volume(let name) = self { name } else { encoded }
  }

  /// `nil` for what is no such text.
  init?(encoded text: String) {
    let parts = text.split(separator: "/", maxSplits: 1).map(String.init)
    guard parts.count == 2, VolumeName.isValid(parts[1]) else { return nil }
    switch parts[0] {
    case "snapshot": self = .snapshot(parts[1])
    case "volume": self = .volume(parts[1])
    default: return nil
    }
  }
}

/// What a volume held at one instant. It cannot be used itself: volumes are made from it.
public struct VolumeSnapshot: Sendable, Hashable {
  public let name: String
  /// The volume that it was taken of, which may be gone.
  public let volume: String
  /// The volume's size then; what is made from it has at least as many.
  public let bytes: Int64
  public let fileSystem: FileSystemType?
  /// Those of the volume.
  public let parameters: [String: String]
  /// When it was taken: nanoseconds since 1970.
  public let takenAt: Int64
  /// What is wrong with it, for people; `nil` if nothing is.
  public let fault: String?
}

/// What a snapshot, or a volume, hands to what is made from it.
struct VolumeOriginal: Sendable, Hashable {
  let source: VolumeSource
  let bytes: Int64
  let fileSystem: FileSystemType?
  let format: VolumeRecord.Format
  let fileSystemBytes: Int64

  init(_ record: VolumeRecord, bytes: Int64) {
    source = .volume(record.name)
    self.bytes = bytes
    fileSystem = record.fileSystem
    format = record.format
    fileSystemBytes = record.fileSystemBytes
  }

  init(_ record: SnapshotRecord) {
    source = .snapshot(record.name)
    bytes = record.bytes
    fileSystem = record.fileSystem
    format = record.format
    fileSystemBytes = record.fileSystemBytes
  }

  /// The record of a new volume that begins with it.
  /// - Parameter unit: bytes of which its size is a multiple.
  /// - Throws: `VolumeError.sourceUnfit`, `invalidSize`.
  func record(_ request: VolumeRequest, unit: Int64) throws(VolumeError) -> VolumeRecord {
    guard request.fileSystem == fileSystem else {
      func words(_ type: FileSystemType?) -> String { type.map(\.rawValue) ?? "no file system (raw)" }
      throw .sourceUnfit(
        volume: request.name, source: source,
        reason: "that holds \(words(fileSystem)), \(words(request.fileSystem)) is asked for; ask for the same")
    }
    guard request.bytes <= 0 || request.bytes >= bytes else {
      throw .invalidSize(
        volume: request.name,
        reason: "\(request.bytes) bytes are fewer than the \(bytes) of \(source); ask for at least as many")
    }
    guard request.limitBytes == 0 || request.limitBytes >= bytes else {
      throw .invalidSize(
        volume: request.name,
        reason: "at most \(request.limitBytes) bytes are allowed, \(source) has \(bytes); raise the limit")
    }
    let size = try VolumeSize.rounded(
      max(request.bytes, bytes), limit: request.limitBytes, unit: unit, fileSystem: fileSystem, volume: request.name)
    var record = VolumeRecord(request, bytes: size)
    record.format = format
    record.fileSystemBytes = fileSystemBytes
    return record
  }
}
