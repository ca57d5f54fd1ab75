/// Where a stretch of a file's content lies.
public struct DataExtent: Sendable, Hashable {
  /// Byte offset within the file.
  public var fileOffset: Int64
  /// In bytes.
  public var length: Int64
  /// 1 for the first data device.
  public var device: UInt16
  /// Byte offset within the device.
  public var deviceOffset: Int64

  public init(fileOffset: Int64 = 0, length: Int64, device: UInt16 = 1, deviceOffset: Int64) {
    self.fileOffset = fileOffset
    self.length = length
    self.device = device
    self.deviceOffset = deviceOffset
  }
}

/// The files of one layer, or of several merged ones: attributes and where the content lies, never the content.
/// Every format that is read gives such a tree; every format that is written takes one.
public struct LayerTree: Sendable, Hashable {
  /// A file with all its names.
  public struct Node: Sendable, Hashable {
    public enum Content: Sendable, Hashable {
      /// Extents are in the order of the file; what none covers reads as zeros.
      case file(size: Int64, extents: [DataExtent])
      /// In the order of the names' bytes.
      case directory([Child])
      case symbolicLink(target: [UInt8])
      case characterDevice(major: UInt32, minor: UInt32)
      case blockDevice(major: UInt32, minor: UInt32)
      case fifo
      /// Hides a file of the layers below (image-spec "Whiteouts").
      case whiteout
    }

    public var content: Content
    public var attributes: FileAttributes
    /// A directory that no member of the layer describes: it is only there because something lies in it. Its attributes
    /// are those of the layer below, if that has it.
    public var isImplied = false
    /// A directory that the layer describes after it was implied: it keeps extended attributes of the layer below.
    public var isDescribedLate = false
    /// A directory that hides everything the layers below have in it.
    public var isOpaque = false
    /// How many names lead here; for directories, 2 and one for each subdirectory.
    public var linkCount: UInt32 = 1

    public init(_ content: Content, _ attributes: FileAttributes) {
      self.content = content
      self.attributes = attributes
    }

    public var isDirectory: Bool {
      if case .directory = content { return true }
      return false
    }
  }

  /// A name in a directory.
  public struct Child: Sendable, Hashable {
    public var name: [UInt8]
    /// Index in `nodes`.
    public var node: Int

    public init(name: [UInt8], node: Int) {
      self.name = name
      self.node = node
    }
  }

  /// The root is the first. All are reachable from it; a node with several names is there once.
  public var nodes: [Node]

  public init(nodes: [Node]) { self.nodes = nodes }

  /// The children of a directory; none for anything else.
  public func children(of node: Int) -> [Child] {
    if case .directory(let children) = nodes[node].content { return children }
    return []
  }

  /// The node with this path (in the form of `LayerPath.plain`); symbolic links are not followed.
  public func node(at path: some Collection<UInt8>) -> Int? {
    var node = 0
    for part in path.split(separator: LayerPath.slash) {
      guard let child = child(named: part, of: node) else { return nil }
      node = child
    }
    return node
  }

  /// The node with this name in a directory.
  public func child(named name: some Sequence<UInt8>, of directory: Int) -> Int? {
    let wanted = Array(name)
    guard case .directory(let children) = nodes[directory].content else { return nil }
    var low = 0
    var high = children.count
    while low < high {
      let middle = (low + high) / 2
      if children[middle].name.lexicographicallyPrecedes(wanted) { low = middle + 1 } else { high = middle }
    }
    return low < children.count && children[low].name == wanted ? children[low].node : nil
  }

  /// Calls `body` with every name and its node, directories before what is in them, in the order of names.
  public func forEachName(_ body: (_ path: [UInt8], _ node: Int) throws -> Void) rethrows {
    var stack: [(path: [UInt8], node: Int)] = [([], 0)]
    while let (path, node) = stack.popLast() {
      try body(path, node)
      for child in children(of: node).reversed() {
        stack.append((path.isEmpty ? child.name : path + [LayerPath.slash] + child.name, child.node))
      }
    }
  }
}
