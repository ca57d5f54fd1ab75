import JSONDocument
import LinuxSystem
import OCI

/// What starts of images have read, in order: fetched ahead at the next start.
///
/// One file for each image (by its manifest), a few kilobytes. Losing one costs time, never data.
struct StartProfiles {
  private let directory: String
  /// Of one image; what is read later than this is hardly part of a start.
  private static let rangeLimit = 4096

  init(directory: String) throws {
    self.directory = directory
    try Directory.make(directory, permissions: 0o700)
  }

  func ranges(of layer: Digest, in manifest: Digest) -> [Range<Int64>]? {
    guard let json = stored(manifest) else { return nil }
    return json[layer.description].elements.compactMap { pair in
      guard let lower = pair[0].int, let upper = pair[1].int, lower >= 0, lower < upper else { return nil }
      return Int64(lower)..<Int64(upper)
    }
  }

  /// Whether anything is known of an image's start.
  func isKnown(_ manifest: Digest) -> Bool { FileStatus.exists(path(manifest)) }

  /// What is known of an image's start, of all its layers.
  func profile(of manifest: Digest) -> StartProfile? {
    guard case .object(let object) = stored(manifest) else { return nil }
    var layers: [Digest: [Range<Int64>]] = [:]
    for name in object.keys {
      guard let layer = Digest(name), let ranges = ranges(of: layer, in: manifest), !ranges.isEmpty else { continue }
      layers[layer] = ranges
    }
    return layers.isEmpty ? nil : StartProfile(layers: layers)
  }

  /// Keeps what a start has read. A layer without reads keeps what is known of it: a complete one is read without anybody
  /// noticing.
  func keep(_ reads: [Digest: [Range<Int64>]], of manifest: Digest) throws {
    let before = stored(manifest)
    var json = before ?? [:]
    for (layer, ranges) in reads {
      json[layer.description] = .array(
        ranges.prefix(Self.rangeLimit).map { [.integer($0.lowerBound), .integer($0.upperBound)] })
    }
    guard json != before ?? [:] else { return }
    try DurableFile.write(json.encoded(), to: path(manifest))
  }

  private func stored(_ manifest: Digest) -> JSONValue? {
    (try? DurableFile.read(path(manifest), limit: 3 << 20)).flatMap { try? JSONValue(parsing: $0) }
  }

  private func path(_ manifest: Digest) -> String { "\(directory)/\(manifest.hex).json" }
}
