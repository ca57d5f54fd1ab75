import BoundedNumbers
import Glibc
import JSONDocument

/// What the pool has written down about a snapshot.
struct SnapshotRecord: Sendable, Hashable {
  enum State: String, Sendable {
    /// Nobody has been told of it yet: a crash undoes it, and thaws the volume.
    case creating
    case ready
    /// A crash is followed by finishing it.
    case deleting
  }

  var name: String
  var volume: String
  /// The volume's size.
  var bytes: Int64
  var state: State
  var fileSystem: FileSystemType?
  /// The file system's state in the volume (`VolumeRecord`).
  var format: VolumeRecord.Format
  var fileSystemBytes: Int64
  var parameters: [String: String]
  /// Nanoseconds since 1970.
  var takenAt: Int64
  /// What it may cost.
  var promisedBytes: Int64

  init(_ name: String, of volume: VolumeRecord, bytes: Int64, promisedBytes: Int64) {
    self.name = name
    self.volume = volume.name
    self.bytes = bytes
    state = .creating
    fileSystem = volume.fileSystem
    format = volume.format
    fileSystemBytes = volume.fileSystemBytes
    parameters = volume.parameters
    self.promisedBytes = promisedBytes
    takenAt = Self.now()
  }

  /// Nanoseconds since 1970.
  static func now() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec).clampedMultiplying(by: 1_000_000_000).clampedAdding(Int64(time.tv_nsec))
  }

  /// - Throws: `VolumeError.snapshotConflict` if it is one of another volume.
  func check(isOf volume: String) throws(VolumeError) {
    guard self.volume == volume else {
      throw .snapshotConflict(snapshot: name, reason: "of volume \(self.volume)")
    }
  }

  func snapshot(fault: String?) -> VolumeSnapshot {
    VolumeSnapshot(
      name: name, volume: volume, bytes: bytes, fileSystem: fileSystem, parameters: parameters, takenAt: takenAt,
      fault: fault)
  }

  /// `nil` if the bytes are no record of the snapshot `name`.
  init?(_ bytes: [UInt8], name: String) {
    guard let json = try? JSONValue(parsing: bytes), json["version"].int == 1, json["name"].string == name,
      let volume = json["volume"].string, VolumeName.isValid(volume), let size = json["bytes"].int, size > 0,
      let state = json["state"].string.flatMap(State.init)
    else { return nil }
    self.name = name
    self.volume = volume
    self.bytes = Int64(size)
    self.state = state
    fileSystem = json["fileSystem"].string.flatMap(FileSystemType.init)
    format = json["format"].string.flatMap(VolumeRecord.Format.init) ?? .blank
    fileSystemBytes = Int64(json["fileSystemBytes"].int ?? 0)
    parameters = json["parameters"].strings
    takenAt = Int64(json["takenAt"].int ?? 0)
    promisedBytes = max(0, Int64(json["promisedBytes"].int ?? size))
  }

  var encoded: [UInt8] {
    var json: JSONValue = [
      "version": 1, "name": .string(name), "volume": .string(volume), "bytes": .integer(bytes),
      "state": .string(state.rawValue), "format": .string(format.rawValue),
      "fileSystemBytes": .integer(fileSystemBytes), "parameters": .strings(parameters), "takenAt": .integer(takenAt),
      "promisedBytes": .integer(promisedBytes),
    ]
    json.set("fileSystem", ifPresent: fileSystem.map { .string($0.rawValue) })
    return json.encodedForReading()
  }
}
