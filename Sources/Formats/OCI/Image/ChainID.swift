/// Names a stack of layers by what is in them (image-spec "Layer ChainID").
public enum ChainID {
  /// - Parameters:
  ///   - diffID: of the topmost layer: the digest of its uncompressed archive.
  ///   - parent: of the layers below it; `nil`: there are none.
  public static func of(_ diffID: Digest, on parent: Digest?) -> Digest {
    guard let parent else { return diffID }
    return Digest(of: Array("\(parent) \(diffID)".utf8))
  }

  /// Of every layer with those below it, lowest first.
  public static func all(_ diffIDs: [Digest]) -> [Digest] {
    var chain: [Digest] = []
    for diffID in diffIDs { chain.append(of(diffID, on: chain.last)) }
    return chain
  }
}
