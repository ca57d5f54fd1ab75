import JSONDocument
import LinuxSystem
public import OCI

/// An image whose layers were asked for on this machine.
public struct ImageRecord: Sendable, Hashable {
  public var image: String
  public var manifest: Digest?
  /// From the bottom.
  public var layers: [Digest]
}

/// Which images have which layers, and what was decided for each: kept on disk, for status after a restart and for learned
/// prefetch.
struct ImageRecords {
  private let path: String
  private(set) var images: [String: ImageRecord] = [:]
  private(set) var decisions: [Digest: LayerDecision] = [:]
  /// The oldest go first; a record is some 500 bytes.
  private static let limit = 4096

  init(path: String) throws {
    self.path = path
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

  mutating func note(_ image: ImageReference, manifest: Digest?, layers: [Digest]) throws {
    let record = ImageRecord(image: image.description, manifest: manifest, layers: layers)
    guard images[record.image] != record else { return }
    if images.count >= Self.limit, let some = images.keys.min() { images[some] = nil }
    images[record.image] = record
    try write()
  }

  mutating func note(_ decision: LayerDecision) throws {
    guard decisions[decision.layer] != decision else { return }
    decisions[decision.layer] = decision
    try write()
  }

  /// Forgets layers that no image of the records has and that are not on this machine.
  mutating func forget(except kept: Set<Digest>) throws {
    let before = decisions.count
    let wanted = images.values.reduce(into: kept) { $0.formUnion($1.layers) }
    decisions = decisions.filter { wanted.contains($0.key) }
    if decisions.count != before { try write() }
  }

  private func write() throws {
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
    try DurableFile.write(json.encoded(), to: path)
  }
}
