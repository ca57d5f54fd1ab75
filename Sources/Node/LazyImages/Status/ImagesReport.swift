public import JSONDocument
import LayerStore
import OCI

/// What the daemon knows of images and their layers, as JSON that commands and people's tools read.
public struct ImagesReport: Sendable {
  public let json: JSONValue

  /// - Parameters:
  ///   - images: those whose layers were asked for on this machine.
  ///   - layers: those on this machine.
  ///   - lostContainers: by layer, those that must be started anew; see `LostMount`.
  init(
    images: [ImageRecord], decisions: [Digest: LayerDecision], layers: [LayerStatus], fill: FillDecision,
    lostContainers: [Digest: [String]] = [:]
  ) {
    let byDigest = Dictionary(layers.map { ($0.key.blob, $0) }, uniquingKeysWith: { first, _ in first })
    let named = Set(images.flatMap(\.layers))
    json = [
      "mechanism": "EROFS, filled through \(fill.path == .fuse ? "FUSE" : "fanotify")",
      "fill": [
        "path": .string(fill.path.rawValue), "why": .string(fill.why), "heldOutside": .bool(fill.isHeldOutside),
      ],
      "images": .array(
        images.map { image in
          var item: JSONValue = [
            "image": .string(image.image),
            "layers": .array(image.layers.map { Self.layer($0, decisions[$0], byDigest[$0], lostContainers[$0]) }),
          ]
          item.set("manifest", ifPresent: image.manifest.map { .string($0.description) })
          return item
        }),
      // Kept as a cache for images that were removed.
      "otherLayers": .array(
        layers.filter { !named.contains($0.key.blob) }.map {
          Self.layer($0.key.blob, decisions[$0.key.blob], $0, lostContainers[$0.key.blob])
        }),
    ]
  }

  private static func layer(
    _ digest: Digest, _ decision: LayerDecision?, _ status: LayerStatus?, _ lostContainers: [String]?
  ) -> JSONValue {
    var item: JSONValue = ["digest": .string(digest.description)]
    item.set("mode", ifPresent: decision.map { .string($0.mode.rawValue) })
    item.set("reason", ifPresent: decision.map { .string($0.reason) })
    guard let status else {
      item["state"] = "absent"
      return item
    }
    item["state"] = status.state == .complete ? "complete" : "filling"
    item["mounted"] = .bool(status.isMounted)
    item["throughDaemon"] = .bool(status.isServed)
    if !status.lost.isEmpty {
      item["lostMounts"] = .array(
        status.lost.map { ["fileSystem": .string($0.fileSystem), "why": .string($0.reason.rawValue)] })
      item["lostContainers"] = .array((lostContainers ?? []).map { .string($0) })
    }
    item["presentBytes"] = .integer(status.presentBytes)
    item["deviceBytes"] = .integer(status.deviceBytes)
    item["blobBytes"] = .integer(status.blobBytes)
    item["stalls"] = JSONValue(status.figures.stalls.reduce(0, +))
    item["stallSeconds"] = .number(status.figures.stalledSeconds)
    item["failedReads"] = JSONValue(status.figures.failedReads)
    item["refusedAnswers"] = JSONValue(status.figures.refusals)
    item["fetches"] = Self.byCause { Int64(status.figures.fetches[$0] ?? 0) }
    item["fetchedBytes"] = Self.byCause { status.figures.fetchedBytes[$0] ?? 0 }
    return item
  }

  private static func byCause(_ figure: (FillCause) -> Int64) -> JSONValue {
    [
      "demand": .integer(figure(.demand)), "prefetch": .integer(figure(.prefetch)),
      "background": .integer(figure(.background)),
    ]
  }
}

extension LayerStatus {
  /// Bytes of the data device that are here.
  var presentBytes: Int64 {
    switch state {
    case .complete: deviceBytes
    case .filling(let present, _): present
    }
  }
}
