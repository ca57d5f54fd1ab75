import JSONDocument
public import OCI

/// What a start of an image read of each layer, in order: ranges of data devices, as far as their layout follows from the layer
/// alone (eStargz, zstd:chunked).
///
/// It is kept beside the image in its registry, as a referrer (OCI image specification 1.1) whose annotations hold it all, so that
/// the list of referrers alone tells it. Whoever may push there may write one, so it is no more than advice: what it names is fetched
/// early, and verified as ever.
public struct StartProfile: Sendable, Hashable {
  public var layers: [Digest: [Range<Int64>]]

  public init(layers: [Digest: [Range<Int64>]]) { self.layers = layers }

  /// What kind of thing it is in a registry.
  public static let artifactType = "application/vnd.nagaya.start-profile.v1+json"
  private static let annotation = "dev.nagaya.start-profile.v1"
  /// When it was made; of several, the latest counts.
  static let created = "org.opencontainers.image.created"

  private static let unit: Int64 = 4096
  /// Of the annotation, in bytes: lists of referrers are short.
  private static let limitBytes = 48 << 10
  /// What is fetched early on somebody else's word, at most.
  private static let fetchLimitBytes: Int64 = 256 << 20

  /// As annotations: for each layer `offset+count` in units of 4 KiB. What does not fit is left out, the latest reads first.
  public func annotations(created: String) -> [String: String] {
    var texts: [String: [String]] = [:]
    var size = 0
    let longest = layers.values.map(\.count).max() ?? 0
    // Of all layers alike, from the beginning.
    reading: for index in 0..<longest {
      for (layer, ranges) in layers.sorted(by: { "\($0.key)" < "\($1.key)" }) where index < ranges.count {
        let first = ranges[index].lowerBound / Self.unit
        let end = (ranges[index].upperBound + Self.unit - 1) / Self.unit
        let text = "\(first)+\(end - first)"
        size += text.utf8.count + 1 + (index == 0 ? 100 : 0)
        if size > Self.limitBytes { break reading }
        texts["\(layer)", default: []].append(text)
      }
    }
    let json = JSONValue.object(texts.mapValues { .string($0.joined(separator: ",")) })
    return [Self.annotation: String(decoding: json.encoded(), as: UTF8.self), Self.created: created]
  }

  /// Reads annotations of a referrer.
  /// - Returns: `nil` if they are no profile. Whatever in it is malformed, or more than can be wanted early, is left out.
  public init?(annotations: [String: String]) {
    guard let text = annotations[Self.annotation], text.utf8.count <= 2 * Self.limitBytes,
      let json = try? JSONValue(parsing: Array(text.utf8)), case .object(let object) = json
    else { return nil }
    var layers: [Digest: [Range<Int64>]] = [:]
    var left = Self.fetchLimitBytes
    for (name, value) in object {
      guard let layer = Digest(name), let list = value.string else { continue }
      for part in list.split(separator: ",") {
        let words = part.split(separator: "+")
        guard words.count == 2, let first = Int64(words[0]), let count = Int64(words[1]), first >= 0, count > 0,
          first < 1 << 40, count <= left / Self.unit
        else { continue }
        left -= count * Self.unit
        layers[layer, default: []].append(first * Self.unit..<(first + count) * Self.unit)
      }
    }
    guard !layers.isEmpty else { return nil }
    self.layers = layers
  }
}
