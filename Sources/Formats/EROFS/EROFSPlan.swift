import OCI

/// Where everything goes: inodes in the order of directories, each followed by what it keeps beside it, then the blocks
/// of what is too large for that.
struct EROFSPlan: Sendable {
  struct Inode: Sendable {
    let node: Int
    /// Of a directory: the directory that holds it.
    let parent: Int
    var offset: Int64 = 0
    var layout = EROFSFormat.Layout.plain
    /// `i_u`: first block, device number or chunk format.
    var union: UInt32 = 0
    var size: Int64 = 0
    /// Blocks of its own behind the inodes.
    var dataBlocks = 0
    /// `i_ino`, for programs that take numbers of 32 bits.
    var number: UInt32 = 0

    var nid: UInt64 { UInt64(offset / EROFSFormat.slotBytes) }
  }

  private(set) var inodes: [Inode] = []
  private(set) var dataOffset: Int64 = 0
  private(set) var totalBytes: Int64 = 0
  /// Index in `inodes` by node.
  private var places: [Int32]
  private let block: Int64

  init(_ tree: LayerTree, options: EROFSOptions) throws(EROFSError) {
    block = Int64(options.blockSize.rawValue)
    places = [Int32](repeating: -1, count: tree.nodes.count)
    guard options.uuid.count == 16 else { throw EROFSError(.badUUID) }
    guard options.deviceBytes.count <= EROFSFormat.deviceLimit else {
      throw EROFSError(.tooManyDevices(limit: EROFSFormat.deviceLimit))
    }
    order(tree)
    try place(tree, options)
    try placeBlocks(options)
  }

  /// The node's number and type, for directory records.
  func target(in tree: LayerTree) -> (Int) -> (nid: UInt64, type: UInt8) {
    { node in (inodes[Int(places[node])].nid, EROFSFormat.fileType(tree.nodes[node].content).record) }
  }

  func xattrs(of node: Int, _ tree: LayerTree, _ options: EROFSOptions) -> [UInt8] {
    XattrBody.encode(
      tree.nodes[node].attributes.extendedAttributes, isOpaque: tree.nodes[node].isOpaque, marks: options.overlayMarks)
      ?? []
  }

  /// The members of a directory stand together, as a listing reads them.
  private mutating func order(_ tree: LayerTree) {
    func add(_ node: Int, parent: Int) {
      places[node] = Int32(inodes.count)
      var inode = Inode(node: node, parent: parent)
      inode.number = UInt32(inodes.count + 1)
      inodes.append(inode)
    }
    inodes.reserveCapacity(tree.nodes.count)
    add(0, parent: 0)
    var stack = [0]
    while let directory = stack.popLast() {
      let children = tree.children(of: directory)
      for child in children where places[child.node] < 0 { add(child.node, parent: directory) }
      for child in children.reversed() where tree.nodes[child.node].isDirectory { stack.append(child.node) }
    }
  }

  private mutating func place(_ tree: LayerTree, _ options: EROFSOptions) throws(EROFSError) {
    var cursor = Int64(EROFSFormat.deviceTableOffset + options.deviceBytes.count * EROFSFormat.deviceSlotBytes)
    for index in inodes.indices {
      var inode = inodes[index]
      let node = tree.nodes[inode.node]
      let attributes = node.attributes.extendedAttributes
      guard let xattrs = XattrBody.encode(attributes, isOpaque: node.isOpaque, marks: options.overlayMarks) else {
        throw EROFSError(.attributesTooLarge, node: inode.node)
      }
      cursor = cursor.aligned(to: EROFSFormat.slotBytes)
      // The 64 bytes of an inode stay within one block.
      if cursor % block + EROFSFormat.inodeBytes > block { cursor = cursor.aligned(to: block) }
      inode.offset = cursor
      let head = EROFSFormat.inodeBytes + Int64(xattrs.count)
      var end = cursor + head
      switch node.content {
      case .file(let size, let extents):
        inode.size = size
        if size > 0 {
          let map = try ChunkMap(extents, size: size, node: inode.node, options: options)
          inode.layout = .chunked
          inode.union = map.format
          end = end.aligned(to: 8) + Int64(map.count * ChunkMap.entryBytes)
        }
      case .directory(let children):
        guard children.allSatisfy({ $0.name.count <= 255 }) else {
          throw EROFSError(.nameTooLong, node: inode.node)
        }
        let directory = DirectoryBlocks(
          children, itself: inode.node, parent: inode.parent, blockSize: options.blockSize.rawValue)
        inode.size = Int64(directory.size)
        end = putBeside(&inode, blocks: directory.blocks.count, tail: Int64(directory.tailBytes), head)
      case .symbolicLink(let target):
        guard target.count < LayerPath.limit else { throw EROFSError(.linkTargetTooLong, node: inode.node) }
        inode.size = Int64(target.count)
        // A target is kept in one piece.
        if Int64(target.count) < block {
          end = putBeside(&inode, blocks: 1, tail: Int64(target.count), head)
        } else {
          inode.dataBlocks = Int((Int64(target.count) + block - 1) / block)
        }
      case .characterDevice(let major, let minor), .blockDevice(let major, let minor):
        inode.union = (minor & 0xFF) | major << 8 | (minor & ~0xFF) << 12
      case .fifo, .whiteout: break
      }
      inodes[index] = inode
      cursor = end
      guard cursor <= options.limitBytes else {
        throw EROFSError(.tooLarge(limitBytes: options.limitBytes), node: inode.node)
      }
    }
    dataOffset = cursor.aligned(to: block)
  }

  /// Puts the last block's bytes behind the inode if they fit into the rest of a block; otherwise all blocks go elsewhere.
  /// - Returns: the end of the inode.
  private func putBeside(_ inode: inout Inode, blocks: Int, tail: Int64, _ head: Int64) -> Int64 {
    func fits(_ offset: Int64) -> Bool { (offset + head) % block + tail <= block }
    if !fits(inode.offset) {
      // Worth the rest of this block only if less is lost than a block of its own would lose.
      let next = inode.offset.aligned(to: block)
      guard fits(next), next - inode.offset < block - tail else {
        inode.dataBlocks = blocks
        return inode.offset + head
      }
      inode.offset = next
    }
    inode.layout = .inline
    inode.dataBlocks = blocks - 1
    return inode.offset + head + tail
  }

  private mutating func placeBlocks(_ options: EROFSOptions) throws(EROFSError) {
    var next = dataOffset / block
    for index in inodes.indices where inodes[index].dataBlocks > 0 {
      inodes[index].union = UInt32(truncatingIfNeeded: next)
      next += Int64(inodes[index].dataBlocks)
    }
    // An inline inode without blocks of its own has no first block.
    for index in inodes.indices where inodes[index].layout == .inline && inodes[index].dataBlocks == 0 {
      inodes[index].union = .max
    }
    totalBytes = next * block
    guard totalBytes <= options.limitBytes, next < Int64(UInt32.max) else {
      throw EROFSError(.tooLarge(limitBytes: options.limitBytes))
    }
  }
}
