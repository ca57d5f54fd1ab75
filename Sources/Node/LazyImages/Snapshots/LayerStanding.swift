import LayerStore
import OCI

/// What is thought of a lazily loaded layer as that for which its snapshot's chain ID stands.
enum LayerStanding: Int, Sendable, Hashable {
  /// Its image says so; nobody else is given it who does not name the same blob.
  case unproven = 0
  /// Its archive was compared with the chain ID.
  case proven = 1
  /// It is something else: nothing new is made of it.
  case refused = 2
  /// Another image names another blob for the same chain ID: it is proven before anything is made of it.
  case contested = 3
}

/// An image's word: what is under a chain ID is in this blob.
struct LayerClaim: Sendable, Hashable {
  var chain: Digest
  var blob: Digest
}

extension SnapshotRecords.Claim {
  /// What the layer is for its chain ID, by what was found out about it.
  /// - Returns: why it is refused; `nil` if it is proven.
  func objection(_ identity: LayerIdentity) -> String? {
    let parent = parentChain.flatMap { $0.isEmpty ? nil : Digest($0) }
    let source = image.isEmpty ? "its image" : "image \(image)"
    guard parentChain == "" || parent != nil, let wanted = Digest(chain) else {
      return "\(source) has it on layers of which nobody knows what they are"
    }
    guard ChainID.of(identity.diffID, on: parent) == wanted else {
      return "\(source) names other content than it holds (diff ID \(identity.diffID))"
    }
    return identity.showsArchive
      ? nil : "the table of contents that \(source) names shows other files than the layer's archive holds"
  }

  /// Whether it is certain that the layer is something else.
  func isRefuted(by identity: LayerIdentity) -> Bool {
    let parent = parentChain.flatMap { $0.isEmpty ? nil : Digest($0) }
    guard parentChain == "" || parent != nil, let wanted = Digest(chain) else { return false }
    return ChainID.of(identity.diffID, on: parent) != wanted
  }
}
