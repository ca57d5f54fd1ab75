public import OCI

/// What a layer's blob was found to be, once all of it was read.
///
/// Whoever makes an image says in its configuration which archive each layer is; a table of contents proves chunks, not
/// that they are the archive's. Only reading the whole blob shows both.
public struct LayerIdentity: Sendable, Hashable {
  /// Digest of the uncompressed archive that the blob holds.
  public var diffID: Digest
  /// Whether the files that are mounted are those of the archive.
  public var showsArchive: Bool

  public init(diffID: Digest, showsArchive: Bool) {
    self.diffID = diffID
    self.showsArchive = showsArchive
  }
}

/// What a layer's files mean for those of the layers below it.
public struct LayerTraits: Sendable, Hashable {
  /// Whether some hide files of the layers below.
  public var hidesFiles: Bool
  /// Directories that no member of the archive describes, in the form of `LayerPath.plain`; parents before what is in them.
  public var impliedDirectories: [[UInt8]]
  /// Directories that are described after something in them: they keep extended attributes of the layers below.
  public var lateDirectories: [[UInt8]]

  public init(
    hidesFiles: Bool = false, impliedDirectories: [[UInt8]] = [], lateDirectories: [[UInt8]] = []
  ) {
    self.hidesFiles = hidesFiles
    self.impliedDirectories = impliedDirectories
    self.lateDirectories = lateDirectories
  }

  public init(_ tree: LayerTree) {
    self.init()
    tree.forEachName { path, number in
      let node = tree.nodes[number]
      if node.isOpaque || node.content == .whiteout { hidesFiles = true }
      // The root is nobody's member: containerd passes over what archives say of it.
      if node.isImplied, !path.isEmpty { impliedDirectories.append(path) }
      if node.isDescribedLate, !path.isEmpty { lateDirectories.append(path) }
    }
  }

  /// For a file: the implied ones, a zero byte after each; then, behind one more, the others. Paths hold no zero bytes.
  var encodedDirectories: [UInt8] {
    let implied = impliedDirectories.reduce(into: [UInt8]()) { $0 += $1 + [0] }
    guard !lateDirectories.isEmpty else { return implied }
    return lateDirectories.reduce(into: implied + [0]) { $0 += $1 + [0] }
  }

  mutating func decodeDirectories(_ bytes: [UInt8]) {
    let paths = bytes.split(separator: 0, omittingEmptySubsequences: false).dropLast()
    let border = paths.firstIndex(where: \.isEmpty) ?? paths.endIndex
    impliedDirectories = paths[..<border].map(Array.init)
    lateDirectories = paths[border...].dropFirst().map(Array.init)
  }
}
