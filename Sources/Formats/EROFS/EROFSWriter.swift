import OCI

/// Writes the metadata of a tree as an EROFS image without content: every file's blocks lie on external data devices
/// (Linux fs/erofs/erofs_fs.h; core on-disk format, chunk-based files, device table).
///
/// The image is planned as a whole at first, then written from front to back. Equal trees and options give equal bytes.
/// Mount it with one `device=` option for every data device, in order.
public struct EROFSWriter: Sendable {
  private let tree: LayerTree
  private let options: EROFSOptions
  private let plan: EROFSPlan

  /// - Throws: `EROFSError` if the tree does not fit the format.
  public init(_ tree: LayerTree, options: EROFSOptions) throws(EROFSError) {
    self.tree = tree
    self.options = options
    plan = try EROFSPlan(tree, options: options)
  }

  /// Where an image keeps the 16 bytes of its UUID.
  public static let uuidOffset = EROFSFormat.superblockOffset + 48

  /// Size of the image in bytes: whole blocks.
  public var metadataBytes: Int64 { plan.totalBytes }
  public var inodeCount: Int { plan.inodes.count }

  /// Writes the image.
  public func write(to sink: inout some ByteSink) throws {
    var output = BlockOutput(blockSize: options.blockSize.rawValue)
    output.bytes.append(zeros: EROFSFormat.superblockOffset)
    appendSuperblock(to: &output.bytes)
    for bytes in options.deviceBytes { appendDevice(bytes, to: &output.bytes) }
    for inode in plan.inodes {
      output.pad(to: inode.offset)
      try append(inode, to: &output)
      try output.flushIfLarge(to: &sink)
    }
    output.pad(to: plan.dataOffset)
    for inode in plan.inodes where inode.dataBlocks > 0 {
      try appendBlocks(of: inode, to: &output, &sink)
    }
    output.pad(to: plan.totalBytes)
    try output.flush(to: &sink)
  }

  private func appendSuperblock(to bytes: inout [UInt8]) {
    bytes.append(little: EROFSFormat.magic)
    bytes.append(little: UInt32(0))  // checksum: set when the first block is complete
    let hasChecksum = options.blockSize.rawValue > EROFSFormat.superblockOffset
    bytes.append(little: EROFSFormat.compatModificationTime | (hasChecksum ? EROFSFormat.compatChecksum : 0))
    bytes.append(options.blockSize.bits)
    bytes.append(0)  // extension slots
    bytes.append(little: UInt16(plan.inodes[0].nid))
    bytes.append(little: UInt64(plan.inodes.count))
    bytes.append(little: UInt64(0))  // build time: only compact inodes use it
    bytes.append(little: UInt32(0))
    bytes.append(little: UInt32(plan.totalBytes >> Int64(options.blockSize.bits)))
    bytes.append(little: UInt32(0))  // inodes are addressed from the start of the image
    bytes.append(little: UInt32(0))  // no shared attributes
    bytes += options.uuid
    bytes.append(zeros: 16)  // volume name
    bytes.append(little: EROFSFormat.incompatChunkedFile | EROFSFormat.incompatDeviceTable)
    bytes.append(little: UInt16(0))
    bytes.append(little: UInt16(options.deviceBytes.count))
    bytes.append(little: UInt16(EROFSFormat.deviceTableOffset / EROFSFormat.deviceSlotBytes))
    bytes.append(zeros: EROFSFormat.deviceTableOffset - bytes.count)
  }

  private func appendDevice(_ size: Int64, to bytes: inout [UInt8]) {
    let block = Int64(options.blockSize.rawValue)
    bytes.append(zeros: 64)  // tag
    bytes.append(little: UInt32(truncatingIfNeeded: (size + block - 1) / block))
    bytes.append(little: UInt32(0))  // not mapped into one address space
    bytes.append(zeros: 56)
  }

  private func append(_ inode: EROFSPlan.Inode, to output: inout BlockOutput) throws {
    let node = tree.nodes[inode.node]
    let xattrs = plan.xattrs(of: inode.node, tree, options)
    output.bytes.append(little: UInt16(1) | UInt16(inode.layout.rawValue) << 1)
    output.bytes.append(little: XattrBody.count(ofBodyBytes: xattrs.count))
    // Linux knows no permissions of symbolic links; whatever the archive says, file systems show 0777.
    let permissions = EROFSFormat.fileType(node.content).record == 7 ? 0o777 : node.attributes.mode
    output.bytes.append(little: EROFSFormat.fileType(node.content).mode | permissions)
    output.bytes.append(little: UInt16(0))
    output.bytes.append(little: UInt64(inode.size))
    output.bytes.append(little: inode.union)
    output.bytes.append(little: inode.number)
    output.bytes.append(little: node.attributes.uid)
    output.bytes.append(little: node.attributes.gid)
    output.bytes.append(little: node.attributes.modificationTime.seconds)
    output.bytes.append(little: node.attributes.modificationTime.nanoseconds)
    output.bytes.append(little: node.linkCount)
    output.bytes.append(zeros: 16)
    output.bytes += xattrs
    switch node.content {
    case .file(let size, let extents) where size > 0:
      output.pad(to: output.position.aligned(to: 8))
      let map = try ChunkMap(extents, size: size, node: inode.node, options: options)
      map.forEachIndex { device, block in
        output.bytes.append(little: UInt16(0))
        output.bytes.append(little: device)
        output.bytes.append(little: block)
      }
    case .directory(let children) where inode.layout == .inline:
      let directory = blocks(of: inode, children)
      directory.encode(directory.blocks.count - 1, into: &output.bytes, plan.target(in: tree))
    case .symbolicLink(let target) where inode.layout == .inline: output.bytes += target
    default: break
    }
  }

  /// Blocks of directories and long symbolic links that do not lie beside their inode.
  private func appendBlocks(of inode: EROFSPlan.Inode, to output: inout BlockOutput, _ sink: inout some ByteSink) throws
  {
    switch tree.nodes[inode.node].content {
    case .directory(let children):
      let directory = blocks(of: inode, children)
      for block in 0..<inode.dataBlocks {
        directory.encode(block, into: &output.bytes, plan.target(in: tree))
        output.padToBlock()
        try output.flushIfLarge(to: &sink)
      }
    case .symbolicLink(let target):
      output.bytes += target
      output.padToBlock()
    default: break
    }
  }

  private func blocks(of inode: EROFSPlan.Inode, _ children: [LayerTree.Child]) -> DirectoryBlocks {
    DirectoryBlocks(children, itself: inode.node, parent: inode.parent, blockSize: options.blockSize.rawValue)
  }
}

/// Numbers of the on-disk format.
enum EROFSFormat {
  static let magic: UInt32 = 0xE0F5_E1E2
  static let superblockOffset = 1024
  static let deviceTableOffset = 1152
  static let deviceSlotBytes = 128
  /// An inode's number is its offset in these units.
  static let slotBytes: Int64 = 32
  static let inodeBytes: Int64 = 64
  static let compatChecksum: UInt32 = 1
  static let compatModificationTime: UInt32 = 2
  static let incompatChunkedFile: UInt32 = 4
  static let incompatDeviceTable: UInt32 = 8
  /// So many that the root's number fits 16 bits.
  static let deviceLimit = 4096

  enum Layout: UInt8, Sendable {
    case plain = 0
    case inline = 2
    case chunked = 4
  }

  /// The type in directory records, and in the mode.
  static func fileType(_ content: LayerTree.Node.Content) -> (record: UInt8, mode: UInt16) {
    switch content {
    case .file: (1, 0o100000)
    case .directory: (2, 0o040000)
    case .characterDevice, .whiteout: (3, 0o020000)
    case .blockDevice: (4, 0o060000)
    case .fifo: (5, 0o010000)
    case .symbolicLink: (7, 0o120000)
    }
  }
}

/// Bytes on their way out; they leave in large pieces, the first with the superblock's checksum.
private struct BlockOutput {
  var bytes: [UInt8] = []
  private var flushed: Int64 = 0
  private let blockSize: Int

  init(blockSize: Int) { self.blockSize = blockSize }

  var position: Int64 { flushed + Int64(bytes.count) }

  mutating func pad(to offset: Int64) { bytes.append(zeros: Int(offset - position)) }
  mutating func padToBlock() { pad(to: position.aligned(to: Int64(blockSize))) }

  mutating func flushIfLarge(to sink: inout some ByteSink) throws { if bytes.count >= 1 << 20 { try flush(to: &sink) } }

  mutating func flush(to sink: inout some ByteSink) throws {
    // The rest of the superblock's block is covered. Where blocks are so small that it is not in the first, erofs-utils
    // writes no checksum either, and cannot check one.
    if flushed == 0, blockSize > EROFSFormat.superblockOffset {
      let checksum = CRC32C.value(of: bytes[EROFSFormat.superblockOffset..<blockSize])
      for index in 0..<4 {
        bytes[EROFSFormat.superblockOffset + 4 + index] = UInt8(truncatingIfNeeded: checksum >> (8 * UInt32(index)))
      }
    }
    try sink.write(bytes[...])
    flushed += Int64(bytes.count)
    bytes.removeAll(keepingCapacity: true)
  }
}
