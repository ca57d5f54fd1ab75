import JSONDocument
import LinuxSystem
import Locking
public import OCI

/// An image whose layers were asked for on this machine.
public struct ImageRecord: Sendable, Hashable {
  public var image: String
  public var manifest: Digest?
  /// From the bottom.
  public var layers: [Digest]
}

/// Which images have which layers, and what was decided for each: kept on disk (`ImageRecordsFile`), for status after a
/// restart and for learned prefetch.
struct ImageRecords {
  private(set) var images: [String: ImageRecord] = [:]
  private(set) var decisions: [Digest: LayerDecision] = [:]
  /// The oldest go first; a record is some 500 bytes.
  private static let limit = 4096

  init(path: String) throws {
    guard let bytes = try DurableFile.read(path, limit: 64 << 20),
      let json = try? JSONValue(parsing: bytes, limits: JSONLimits(bytes: 64 << 20))
    else {
      return
    }
    for item in json["images"].elements {
      guard let image = item["image"].string else { continue }
      images[image] = ImageRecord(
        image: image, manifest: item["manifest"].string.flatMap { Digest($0) },
        layers: item["layers"].elements.compactMap { $0.string.flatMap { Digest($0) } })
    }
    for item in json["layers"].elements {
      guard let layer = item["digest"].string.flatMap({ Digest($0) }),
        let mode = item["mode"].string.flatMap(LayerMode.init)
      else { continue }
      decisions[layer] = LayerDecision(layer: layer, mode: mode, reason: item["reason"].string ?? "")
    }
  }

  /// - Returns: whether that is news.
  mutating func note(_ image: ImageReference, manifest: Digest?, layers: [Digest]) -> Bool {
    let record = ImageRecord(image: image.description, manifest: manifest, layers: layers)
    guard images[record.image] != record else { return false }
    if images.count >= Self.limit, let some = images.keys.min() { images[some] = nil }
    images[record.image] = record
    return true
  }

  /// - Returns: whether that is news.
  mutating func note(_ decision: LayerDecision) -> Bool {
    guard decisions[decision.layer] != decision else { return false }
    decisions[decision.layer] = decision
    return true
  }

  var encoded: [UInt8] {
    let json: JSONValue = [
      "images": .array(
        images.values.sorted { $0.image < $1.image }.map {
          var item: JSONValue = [
            "image": .string($0.image), "layers": .array($0.layers.map { .string($0.description) }),
          ]
          item.set("manifest", ifPresent: $0.manifest.map { .string($0.description) })
          return item
        }),
      "layers": .array(
        decisions.values.sorted { $0.layer.hex < $1.layer.hex }.map {
          [
            "digest": .string($0.layer.description), "mode": .string($0.mode.rawValue), "reason": .string($0.reason),
          ]
        }),
    ]
    return json.encoded()
  }
}

/// The file of the records. What was known later is not written over by what was known before, whoever is faster.
final class ImageRecordsFile: Sendable {
  private let path: String
  private let written = Mutex(0)

  init(path: String) { self.path = path }

  /// - Parameter version: larger for later ones.
  func write(_ records: ImageRecords, version: Int) throws {
    try written.withLock { written in
      guard version > written else { return }
      try DurableFile.write(records.encoded, to: path)
      written = version
    }
  }
}
