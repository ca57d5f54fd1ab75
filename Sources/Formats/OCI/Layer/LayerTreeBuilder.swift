/// Makes a tree of a layer's members in the order in which its archive lists them, as a container runtime would unpack
/// them (image-spec "Applying Changesets"): later members replace earlier ones, directories that are only implied are
/// made, whiteouts hide files of the layers below.
public struct LayerTreeBuilder: Sendable {
  private struct Key: Hashable {
    let parent: Int32
    let name: [UInt8]
  }

  private var nodes: [LayerTree.Node]
  private var names: [Key: Int32] = [:]
  /// Hard links whose target was not there yet.
  private var openLinks: [(entry: LayerEntry, target: [UInt8])] = []
  /// Directories that other members replaced.
  private var replacedDirectories: [(path: [UInt8], time: FileTime)] = []
  private let nodeLimit: Int
  /// Archives list a directory's members together: the last parent is most often the next one, too.
  private var lastParent: (path: ArraySlice<UInt8>, node: Int32) = ([], 0)

  /// As deep as Linux follows links of the other kind.
  private static let linkDepthLimit = 40
  /// Parts of paths that are followed for all directories that were replaced: links could make a few into endless many.
  private static let resolvingLimit = 4_000_000
  private static let whiteoutPrefix = Array(".wh.".utf8)
  private static let opaqueName = Array(".wh..wh..opq".utf8)
  private static let impliedAttributes = FileAttributes(mode: 0o755)

  /// - Parameter nodeLimit: files, directories and hard links together.
  public init(nodeLimit: Int = 2_000_000) {
    self.nodeLimit = min(nodeLimit, Int(Int32.max) - 1)
    var root = LayerTree.Node(.directory([]), Self.impliedAttributes)
    root.isImplied = true
    nodes = [root]
  }

  /// Adds a member.
  /// - Parameter extents: where the content of a file lies; the whole file or nothing but holes is also fine.
  public mutating func add(_ entry: LayerEntry, extents: [DataExtent] = []) throws(LayerError) {
    var entry = entry
    entry.attributes = entry.attributes.asUnpacked(entry.kind)
    guard !entry.path.isEmpty else {
      // Whatever an archive says of the root, containerd passes it over; a time is better than none.
      nodes[0].attributes.modificationTime = entry.attributes.modificationTime
      return
    }
    let slash = entry.path.lastIndex(of: LayerPath.slash)
    let name = Array(entry.path[(slash.map { $0 + 1 } ?? 0)...])
    guard name.count <= 255 else { throw LayerError(.nameTooLong, path: entry.path) }
    let parent = try directory(entry.path[..<(slash ?? 0)])
    if name.starts(with: Self.whiteoutPrefix) { return try addWhiteout(name, in: parent, entry) }

    switch entry.kind {
    case .directory: try addDirectory(name, in: parent, entry)
    case .hardLink(let target): try addLink(name, in: parent, entry, to: target)
    case .file(let size):
      try Self.check(extents, size: size, entry.path)
      try put(.file(size: size, extents: extents), name, in: parent, entry)
    case .symbolicLink(let target): try put(.symbolicLink(target: target), name, in: parent, entry)
    // A character device 0:0 is overlayfs' own whiteout.
    case .characterDevice(0, 0): try put(.whiteout, name, in: parent, entry)
    case .characterDevice(let major, let minor):
      try put(.characterDevice(major: major, minor: minor), name, in: parent, entry)
    case .blockDevice(let major, let minor): try put(.blockDevice(major: major, minor: minor), name, in: parent, entry)
    case .fifo: try put(.fifo, name, in: parent, entry)
    }
  }

  /// The tree of all members added.
  /// - Throws: if a hard link leads nowhere.
  public mutating func finish() throws(LayerError) -> LayerTree {
    // A link may lead to another link that comes later: as long as one finds its target, the others may, too. A hostile
    // chain could make that a pass for every link.
    var passes = 0
    while let first = openLinks.first {
      let links = openLinks
      openLinks = []
      for link in links {
        let path = link.entry.path
        let slash = path.lastIndex(of: LayerPath.slash)
        let name = Array(path[(slash.map { $0 + 1 } ?? 0)...])
        try addLink(name, in: try directory(path[..<(slash ?? 0)]), link.entry, to: link.target)
      }
      passes += 1
      guard openLinks.count < links.count, passes < Self.linkDepthLimit else {
        throw LayerError(.missingLinkTarget, path: (openLinks.first ?? first).entry.path)
      }
    }
    // containerd sets the times of directories at the end, by their names, of whatever these lead to by then: continuity's
    // `fs.RootPath` follows symbolic links, the last one, too.
    var steps = Self.resolvingLimit
    for (path, time) in replacedDirectories {
      guard let node = resolve(path, steps: &steps), !nodes[Int(node)].isDirectory else { continue }
      nodes[Int(node)].attributes.modificationTime = time
    }
    return compacted()
  }

  // MARK: Kinds

  private mutating func addDirectory(_ name: [UInt8], in parent: Int32, _ entry: LayerEntry) throws(LayerError) {
    let key = Key(parent: parent, name: name)
    if let existing = names[key], nodes[Int(existing)].isDirectory {
      // What is set on it comes on top of what it has.
      let before = nodes[Int(existing)].attributes.extendedAttributes
      nodes[Int(existing)].attributes = entry.attributes
      nodes[Int(existing)].attributes.extendedAttributes.merge(before) { own, _ in own }
      if nodes[Int(existing)].isImplied { nodes[Int(existing)].isDescribedLate = true }
      nodes[Int(existing)].isImplied = false
      return
    }
    // A directory takes the place of a whiteout, so that what the layers below have in it is seen again: containerd's
    // unpacking for overlayfs does the same. Archivers that mean to hide it mark the directory as opaque.
    try put(.directory([]), name, in: parent, entry)
  }

  private mutating func addLink(_ name: [UInt8], in parent: Int32, _ entry: LayerEntry, to target: [UInt8])
    throws(LayerError)
  {
    let path = entry.path
    guard let node = find(target) else {
      openLinks.append((entry, target))
      guard openLinks.count <= nodeLimit else { throw LayerError(.tooManyNodes(limit: nodeLimit), path: path) }
      return
    }
    guard !nodes[Int(node)].isDirectory else { throw LayerError(.linkToDirectory, path: path) }
    // The link's own attributes are set on what it leads to.
    var attributes = entry.attributes
    if case .file = nodes[Int(node)].content {
    } else {
      attributes.extendedAttributes = attributes.extendedAttributes.filter { !$0.key.hasPrefix("user.") }
    }
    attributes.extendedAttributes.merge(nodes[Int(node)].attributes.extendedAttributes) { own, _ in own }
    nodes[Int(node)].attributes = attributes
    bind(Key(parent: parent, name: name), to: node, path)
    guard names.count <= nodeLimit else { throw LayerError(.tooManyNodes(limit: nodeLimit), path: path) }
  }

  private mutating func addWhiteout(_ name: [UInt8], in parent: Int32, _ entry: LayerEntry) throws(LayerError) {
    if name == Self.opaqueName {
      nodes[Int(parent)].isOpaque = true
      return
    }
    let victim = Array(name.dropFirst(Self.whiteoutPrefix.count))
    // AUFS kept its own files under such names; they say nothing about the tree.
    if victim.starts(with: Self.whiteoutPrefix) { return }
    guard !victim.isEmpty, victim != [LayerPath.dot], victim != [LayerPath.dot, LayerPath.dot] else {
      throw LayerError(.badWhiteout, path: entry.path)
    }
    // Whiteouts concern layers below, never members of the same layer.
    if let existing = names[Key(parent: parent, name: victim)] {
      if nodes[Int(existing)].isDirectory { nodes[Int(existing)].isOpaque = true }
      return
    }
    try put(.whiteout, victim, in: parent, entry)
  }

  private mutating func put(_ content: LayerTree.Node.Content, _ name: [UInt8], in parent: Int32, _ entry: LayerEntry)
    throws(LayerError)
  {
    let attributes = content == .whiteout ? FileAttributes(mode: 0) : entry.attributes
    try append(LayerTree.Node(content, attributes), name, in: parent, entry.path[...])
  }

  private mutating func append(_ node: LayerTree.Node, _ name: [UInt8], in parent: Int32, _ path: ArraySlice<UInt8>)
    throws(LayerError)
  {
    guard nodes.count < nodeLimit else { throw LayerError(.tooManyNodes(limit: nodeLimit), path: path) }
    bind(Key(parent: parent, name: name), to: Int32(nodes.count), path)
    nodes.append(node)
  }

  private mutating func bind(_ key: Key, to node: Int32, _ path: some Collection<UInt8>) {
    guard let old = names.updateValue(node, forKey: key), nodes[Int(old)].isDirectory else { return }
    lastParent = ([], 0)
    if !nodes[Int(old)].isImplied {
      replacedDirectories.append((Array(path), nodes[Int(old)].attributes.modificationTime))
    }
  }

  // MARK: Paths

  /// The directory with this path, made if it is not there.
  private mutating func directory(_ path: ArraySlice<UInt8>) throws(LayerError) -> Int32 {
    if path.isEmpty { return 0 }
    if path == lastParent.path { return lastParent.node }
    var node: Int32 = 0
    for part in path.split(separator: LayerPath.slash) {
      let key = Key(parent: node, name: Array(part))
      guard key.name.count <= 255 else { throw LayerError(.nameTooLong, path: path) }
      if let next = names[key] {
        if nodes[Int(next)].isDirectory {
          node = next
          continue
        }
        throw LayerError(.parentIsNoDirectory, path: path)
      }
      var implied = LayerTree.Node(.directory([]), Self.impliedAttributes)
      implied.isImplied = true
      // Whatever is made below a directory with the set-group-ID bit has its group (mkdir(2)).
      let above = nodes[Int(node)].attributes
      if above.mode & 0o2000 != 0 { implied.attributes.gid = above.gid }
      try append(implied, key.name, in: node, path)
      node = Int32(nodes.count - 1)
    }
    lastParent = (path, node)
    return node
  }

  private func find(_ path: [UInt8]) -> Int32? {
    var node: Int32 = 0
    for part in path.split(separator: LayerPath.slash) {
      guard let next = names[Key(parent: node, name: Array(part))] else { return nil }
      node = next
    }
    return nodes[Int(node)].content == .whiteout ? nil : node
  }

  /// Where a path leads to within the layer, links followed.
  /// - Parameter steps: how many parts may still be followed; once they are used up, nothing is found.
  private func resolve(_ path: [UInt8], steps: inout Int) -> Int32? {
    var rest = Array(path.split(separator: LayerPath.slash).reversed())
    var above: [Int32] = []
    var node: Int32 = 0
    var links = 0
    while let part = rest.popLast() {
      steps -= 1
      guard steps > 0 else { return nil }
      if part.elementsEqual([LayerPath.dot]) { continue }
      if part.elementsEqual([LayerPath.dot, LayerPath.dot]) {
        node = above.popLast() ?? 0
        continue
      }
      guard let next = names[Key(parent: node, name: Array(part))] else { return nil }
      guard case .symbolicLink(let target) = nodes[Int(next)].content else {
        above.append(node)
        node = next
        continue
      }
      links += 1
      guard links <= Self.linkDepthLimit else { return nil }
      if target.first == LayerPath.slash { (node, above) = (0, []) }
      rest += target.split(separator: LayerPath.slash).reversed()
    }
    return nodes[Int(node)].content == .whiteout ? nil : node
  }

  private static func check(_ extents: [DataExtent], size: Int64, _ path: [UInt8]) throws(LayerError) {
    var end: Int64 = 0
    for extent in extents {
      guard extent.fileOffset >= end, extent.length > 0, extent.deviceOffset >= 0,
        extent.deviceOffset <= Int64.max - extent.length, extent.fileOffset <= size,
        extent.length <= size - extent.fileOffset
      else { throw LayerError(.badExtent, path: path) }
      end = extent.fileOffset + extent.length
    }
    guard size >= 0 else { throw LayerError(.badExtent, path: path) }
  }

  /// Only what is reachable, with sorted names and link counts.
  private func compacted() -> LayerTree {
    var children: [[LayerTree.Child]] = .init(repeating: [], count: nodes.count)
    for (key, node) in names { children[Int(key.parent)].append(.init(name: key.name, node: Int(node))) }
    var numbers = [Int32](repeating: -1, count: nodes.count)
    var reached: [Int] = [0]
    numbers[0] = 0
    var tree = LayerTree(nodes: [])
    tree.nodes.reserveCapacity(nodes.count)
    var index = 0
    while index < reached.count {
      let old = reached[index]
      var node = nodes[old]
      if node.isDirectory {
        var sorted = children[old].sorted { $0.name.lexicographicallyPrecedes($1.name) }
        children[old] = []
        node.linkCount = 2
        for position in sorted.indices {
          let child = sorted[position].node
          if nodes[child].isDirectory { node.linkCount += 1 }
          if numbers[child] < 0 {
            numbers[child] = Int32(reached.count)
            reached.append(child)
          }
          sorted[position].node = Int(numbers[child])
        }
        node.content = .directory(sorted)
      } else {
        node.linkCount = 0
      }
      tree.nodes.append(node)
      index += 1
    }
    tree.countLinks()
    return tree
  }
}

extension LayerTree {
  /// Sets the link counts of everything that is no directory.
  mutating func countLinks() {
    for index in nodes.indices {
      for child in children(of: index) where !nodes[child.node].isDirectory { nodes[child.node].linkCount += 1 }
    }
  }
}
