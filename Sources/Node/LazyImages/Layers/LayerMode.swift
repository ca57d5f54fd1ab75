public import OCI

/// How a layer gets to this machine.
public enum LayerMode: String, Sendable, Hashable, CaseIterable {
  /// Read before it is here: the layer has a table of contents.
  case lazy
  /// Read before it is here: a plain layer that was read once before, by the index kept of it.
  case indexed
  /// A plain layer's first time: all of it was streamed into its place, nothing was unpacked.
  case streamed
  /// Left to containerd: fetched whole and unpacked.
  case unpacked
}

/// What was decided for a layer, and why: what `nagaya images` shows.
public struct LayerDecision: Sendable, Hashable {
  public var layer: Digest
  public var mode: LayerMode
  /// One line for people.
  public var reason: String

  public init(layer: Digest, mode: LayerMode, reason: String) {
    self.layer = layer
    self.mode = mode
    self.reason = reason
  }
}

/// A layer that must not be used at all.
public struct LayerRefused: Error, Hashable, CustomStringConvertible {
  public let layer: Digest
  public let reason: String

  public init(layer: Digest, reason: String) {
    self.layer = layer
    self.reason = reason
  }

  public var description: String {
    "layer \(layer) is refused: \(reason); build the image anew, or pull it with another snapshotter if you trust it"
  }
}
