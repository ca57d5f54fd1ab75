import Glibc
import JSONDocument
import LinuxSystem
import OCI

/// Where everything of the store lies.
struct LayerFiles: Sendable {
  let directory: String
  let runDirectory: String

  func layer(_ key: LayerKey) -> String { "\(directory)/\(key.blob.hex)" }
  func record(_ key: LayerKey) -> String { "\(layer(key))/\(Self.record)" }
  func data(_ key: LayerKey) -> String { "\(layer(key))/\(Self.data)" }
  func metadata(_ key: LayerKey) -> String { "\(layer(key))/\(Self.metadata)" }
  func content(_ key: LayerKey) -> String { "\(layer(key))/\(Self.content)" }
  func implied(_ key: LayerKey) -> String { "\(layer(key))/\(Self.implied)" }
  func durablePresence(_ key: LayerKey) -> String { "\(layer(key))/present" }
  func presence(_ key: LayerKey) -> String { "\(runDirectory)/present/\(key.blob.hex)" }
  func mountPoint(_ key: LayerKey) -> String { "\(runDirectory)/mounts/\(key.blob.hex)" }
  /// Keeps the kernel's name of the layer's file system.
  func fileSystem(_ key: LayerKey) -> String { "\(runDirectory)/systems/\(key.blob.hex)" }
  func staging(_ key: LayerKey) -> String {
    "\(directory)/\(Self.unfinished)\(key.blob.hex)-\(UInt32.random(in: 0 ... .max))"
  }
  /// Notes of file systems whose readers cannot go on; see `LostMount`.
  var lostDirectory: String { "\(runDirectory)/lost" }
  func lost(_ fileSystem: String) -> String { "\(lostDirectory)/\(fileSystem)" }
  var journal: String { "\(runDirectory)/events" }
  var lock: String { "\(runDirectory)/store.lock" }

  static let record = "layer.json"
  static let data = "data"
  static let metadata = "metadata.erofs"
  static let content = "content"
  /// Directories that the layer only implies, if any.
  static let implied = "implied"
  /// Directories that begin so are removed at start.
  static let unfinished = ".unfinished-"

  /// Names this start of the machine.
  static func bootID() -> String {
    let text = SmallFile.text("/proc/sys/kernel/random/boot_id") ?? ""
    return String(text.prefix { $0 != "\n" })
  }
}

/// What is known about a layer without opening its tables.
struct LayerRecord: Sendable {
  var origin: ImageReference
  var deviceBytes: Int64
  var inodes: Int
  var blobBytes: Int64
  var isComplete: Bool
  /// `chunks` layers: their format; `nil` for spans.
  var format: LayerFormatName?
  /// `nil`: the blob has not been read as a whole.
  var identity: LayerIdentity?
  var hidesFiles = false

  enum LayerFormatName: String, Sendable { case estargz, zstdChunked = "zstd:chunked" }

  var encoded: [UInt8] {
    var json: JSONValue = [
      "origin": .string(origin.description), "deviceBytes": .integer(deviceBytes), "inodes": .integer(Int64(inodes)),
      "blobBytes": .integer(blobBytes), "complete": .bool(isComplete),
    ]
    if let format { json["format"] = .string(format.rawValue) }
    if let identity {
      json["diffID"] = .string(identity.diffID.description)
      json["showsArchive"] = .bool(identity.showsArchive)
    }
    if hidesFiles { json["hidesFiles"] = true }
    return json.encoded()
  }

  /// `nil` for bytes that are no record.
  init?(_ bytes: [UInt8]) {
    guard let json = try? JSONValue(parsing: bytes), let text = json["origin"].string,
      let origin = try? ImageReference(text), let deviceBytes = json["deviceBytes"].int, deviceBytes >= 0,
      let inodes = json["inodes"].int, let blobBytes = json["blobBytes"].int
    else { return nil }
    self.origin = origin
    self.deviceBytes = Int64(deviceBytes)
    self.inodes = Int(inodes)
    self.blobBytes = Int64(blobBytes)
    isComplete = json["complete"].bool ?? false
    format = json["format"].string.flatMap { LayerFormatName(rawValue: $0) }
    identity = json["diffID"].string.flatMap { Digest($0) }.map {
      LayerIdentity(diffID: $0, showsArchive: json["showsArchive"].bool ?? false)
    }
    hidesFiles = json["hidesFiles"].bool ?? false
  }

  init(_ layer: LayerDescription, isComplete: Bool) {
    origin = layer.origin
    deviceBytes = layer.deviceBytes
    inodes = layer.inodes
    blobBytes = layer.blobBytes
    self.isComplete = isComplete
    switch layer.content {
    case .chunks(_, let format): self.format = LayerFormatName(rawValue: format.rawValue)
    case .spans(let index, _): identity = LayerIdentity(diffID: index.diffID, showsArchive: true)
    }
    hidesFiles = layer.traits.hidesFiles
  }
}
