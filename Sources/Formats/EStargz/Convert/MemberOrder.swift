import OCI

/// The members of a new archive in their order: prioritised ones, a landmark, the rest.
struct MemberOrder {
  struct Item: Sendable {
    let entry: LayerEntry
    let source: Source

    enum Source: Sendable {
      /// Of the old archive: headers and content.
      case archive(header: Range<Int64>, content: Range<Int64>)
      case made(header: [UInt8], content: [UInt8])
    }
  }

  private(set) var items: [Item] = []
  /// Prioritised paths that are there.
  private(set) var found = 0

  /// What the format itself puts into layers.
  private static let own = Set(
    [LazyLayer.tocName, LazyLayer.prefetchLandmark, LazyLayer.noPrefetchLandmark].map { Array($0.utf8) })

  init(_ members: [TarMap.Member], prioritized: [[UInt8]]) {
    // Of members with one name the last counts; order would decide otherwise.
    var last: [[UInt8]: Int] = [:]
    for (index, member) in members.enumerated() where !Self.own.contains(member.entry.path) {
      last[member.entry.path] = index
    }
    var taken = Set<Int>()
    func take(_ index: Int) {
      // A link's target must be there before the link.
      if case .hardLink(let target) = members[index].entry.kind, let original = last[target], original != index,
        !taken.contains(original), taken.insert(index).inserted
      {
        take(original)
      } else if !taken.insert(index).inserted {
        return
      }
      items.append(
        Item(
          entry: members[index].entry,
          source: .archive(header: members[index].header, content: members[index].content)))
    }
    func takeParents(_ path: [UInt8]) {
      for (position, byte) in path.enumerated() where byte == UInt8(ascii: "/") {
        if let parent = last[Array(path[..<position])] { take(parent) }
      }
    }
    for path in prioritized {
      guard let index = last[path] else { continue }
      found += 1
      if let root = last[[]] { take(root) }
      takeParents(path)
      if case .hardLink(let target) = members[index].entry.kind { takeParents(target) }
      take(index)
    }
    items.append(Self.landmark(found > 0 ? LazyLayer.prefetchLandmark : LazyLayer.noPrefetchLandmark))
    for index in members.indices where last[members[index].entry.path] == index { take(index) }
  }

  /// Compares what the new archive shows with what the old one does.
  /// - Throws: `LayerTOCError.dependsOnOrder`, or `LayerError` if the old one cannot be understood.
  func check(_ members: [TarMap.Member]) throws {
    func tree(_ members: [(entry: LayerEntry, content: Range<Int64>)]) throws(LayerError) -> LayerTree {
      var builder = LayerTreeBuilder()
      for (entry, content) in members {
        let length = Int64(content.count)
        try builder.add(
          entry, extents: length > 0 ? [DataExtent(length: length, deviceOffset: content.lowerBound)] : [])
      }
      return try builder.finish()
    }
    let old = try tree(members.filter { !Self.own.contains($0.entry.path) }.map { ($0.entry, $0.content) })
    let new = try? tree(
      items.compactMap { item in
        guard case .archive(_, let content) = item.source else { return nil }
        return (item.entry, content)
      })
    guard old == new else { throw LayerTOCError(.dependsOnOrder) }
  }

  private static func landmark(_ name: String) -> Item {
    let content: [UInt8] = [0x0F]
    let entry = TarEntry(name, .file(size: 1))
    let header = (try? TarHeader.encode(entry)) ?? []  // a short plain name always has a header
    return Item(
      entry: LayerEntry(path: Array(name.utf8), kind: .file(size: 1)), source: .made(header: header, content: content))
  }
}
