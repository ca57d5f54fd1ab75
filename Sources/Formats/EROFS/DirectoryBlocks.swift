import OCI

/// The names of a directory as they fill its blocks (Linux Documentation/filesystems/erofs.rst, "Directories"): in every
/// block first the records, then the names, all in the order of their bytes, `.` and `..` among them.
struct DirectoryBlocks {
  struct Name {
    let bytes: [UInt8]
    let node: Int
  }

  /// Which names each block holds.
  private(set) var blocks: [Range<Int>] = []
  private(set) var names: [Name]
  /// Bytes used in the last block.
  private(set) var tailBytes = 0
  private let blockSize: Int

  static let recordBytes = 12

  init(_ children: [LayerTree.Child], itself: Int, parent: Int, blockSize: Int) {
    names = []
    names.reserveCapacity(children.count + 2)
    let dots = [
      Name(bytes: [UInt8(ascii: ".")], node: itself), Name(bytes: Array("..".utf8), node: parent),
    ]
    var next = 0
    for child in children {
      while next < 2, dots[next].bytes.lexicographicallyPrecedes(child.name) {
        names.append(dots[next])
        next += 1
      }
      names.append(Name(bytes: child.name, node: child.node))
    }
    names += dots[next...]
    self.blockSize = blockSize
    var first = 0
    for (index, name) in names.enumerated() {
      let need = Self.recordBytes + name.bytes.count
      if tailBytes + need > blockSize {
        blocks.append(first..<index)
        (first, tailBytes) = (index, 0)
      }
      tailBytes += need
    }
    blocks.append(first..<names.count)
  }

  /// `i_size`
  var size: Int { (blocks.count - 1) * blockSize + tailBytes }

  /// The used bytes of one block.
  func encode(_ block: Int, into bytes: inout [UInt8], _ target: (Int) -> (nid: UInt64, type: UInt8)) {
    let range = blocks[block]
    var nameOffset = range.count * Self.recordBytes
    for name in names[range] {
      let (nid, type) = target(name.node)
      bytes.append(little: nid)
      bytes.append(little: UInt16(nameOffset))
      bytes.append(type)
      bytes.append(0)
      nameOffset += name.bytes.count
    }
    for name in names[range] { bytes += name.bytes }
  }
}
