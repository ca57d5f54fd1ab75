import JSONDocument

/// What the pool has written down about a volume: what it is and which change is under way.
struct VolumeRecord: Sendable, Hashable {
  enum State: String, Sendable {
    /// Nobody has been told of it yet: a crash undoes it.
    case creating
    case ready
    /// Growing to `targetBytes`: a crash is followed by finishing it.
    case expanding
    /// A crash is followed by finishing it.
    case deleting
    /// It comes from another node and is not whole yet; a crash is followed by going on, or by giving it up.
    case receiving
    /// It is whole and nobody may use it: it is on its way to another node, or has just come from one.
    case sealed

    /// There is a volume of which may be told.
    var isTold: Bool {
      switch self {
      case .ready, .expanding, .sealed: true
      case .creating, .deleting, .receiving: false
      }
    }
  }

  enum Format: String, Sendable {
    case blank
    /// mkfs is at work: after a crash it may start anew, whatever is found.
    case formatting
    case formatted
  }

  var name: String
  var bytes: Int64
  var state: State
  /// While expanding; otherwise equal to `bytes`.
  var targetBytes: Int64
  var fileSystem: FileSystemType?
  var format = Format.blank
  /// The device's size for which the file system was made or last grown.
  var fileSystemBytes: Int64 = 0
  var parameters: [String: String]
  /// What it began with.
  var source: VolumeSource?
  /// Some of its blocks may be those of snapshots or of other volumes, too (reflinks).
  var sharesBlocks = false

  /// What the volume may cost at most, whatever becomes of the change under way.
  var promisedBytes: Int64 { max(bytes, targetBytes) }

  init(_ request: VolumeRequest, bytes: Int64) {
    name = request.name
    self.bytes = bytes
    targetBytes = bytes
    state = .creating
    fileSystem = request.fileSystem
    parameters = request.parameters
    source = request.source
  }

  /// The same, with a file system that takes all of the volume.
  var grown: VolumeRecord {
    var record = self
    record.fileSystemBytes = bytes
    return record
  }

  /// The record, of a volume that may be used.
  /// - Throws: `VolumeError.notFound`, `moving`.
  func usable() throws(VolumeError) -> VolumeRecord {
    switch state {
    case .ready, .expanding: return self
    case .sealed: throw .moving(volume: name)
    case .creating, .deleting, .receiving: throw .notFound(volume: name)
    }
  }

  /// - Throws: `VolumeError.conflict` if the volume is not what is asked for now.
  func check(fits request: VolumeRequest) throws(VolumeError) {
    func refuse(_ reason: String) -> VolumeError { .conflict(volume: name, reason: reason) }
    guard bytes >= request.bytes else { throw refuse("with \(bytes) bytes where \(request.bytes) are asked for") }
    guard request.limitBytes == 0 || bytes <= request.limitBytes else {
      throw refuse("with \(bytes) bytes where at most \(request.limitBytes) are asked for")
    }
    guard fileSystem == request.fileSystem else {
      throw refuse("with file system \(fileSystem?.rawValue ?? "none")")
    }
    guard parameters == request.parameters else { throw refuse("with other parameters") }
    guard source == request.source else { throw refuse("made of \(source?.description ?? "nothing")") }
  }

  /// `nil` if the bytes are no record of the volume `name`.
  init?(_ bytes: [UInt8], name: String) {
    guard let json = try? JSONValue(parsing: bytes), json["version"].int == 1, json["name"].string == name,
      let size = json["bytes"].int, size > 0, let state = json["state"].string.flatMap(State.init)
    else { return nil }
    self.name = name
    self.bytes = Int64(size)
    self.state = state
    targetBytes = Int64(json["targetBytes"].int ?? size)
    fileSystem = json["fileSystem"].string.flatMap(FileSystemType.init)
    format = json["format"].string.flatMap(Format.init) ?? .blank
    fileSystemBytes = Int64(json["fileSystemBytes"].int ?? 0)
    parameters = json["parameters"].strings
    source = json["source"].string.flatMap(VolumeSource.init(encoded:))
    sharesBlocks = json["sharesBlocks"].bool ?? false
  }

  var encoded: [UInt8] {
    var json: JSONValue = [
      "version": 1, "name": .string(name), "bytes": .integer(bytes), "state": .string(state.rawValue),
      "targetBytes": .integer(targetBytes), "format": .string(format.rawValue),
      "fileSystemBytes": .integer(fileSystemBytes), "parameters": .strings(parameters),
    ]
    json.set("fileSystem", ifPresent: fileSystem.map { .string($0.rawValue) })
    json.set("source", ifPresent: source.map { .string($0.encoded) })
    if sharesBlocks { json["sharesBlocks"] = true }
    return json.encodedForReading()
  }
}
