/// A directory tree that becomes a layer. The real one walks a file system; tests have one in memory.
public protocol FileTree {
  /// Every member below the root, in any order. A hard link's target is the name of another member.
  func entries() throws -> [TarEntry]
  /// Gives the content of a file to `body`, in order.
  func readContent(of entry: TarEntry, _ body: (ArraySlice<UInt8>) throws -> Void) throws
}

/// A tree in memory.
public struct MemoryFileTree: FileTree {
  private var members: [(entry: TarEntry, content: [UInt8])] = []

  public init() {}

  public mutating func add(_ entry: TarEntry, content: [UInt8] = []) { members.append((entry, content)) }

  /// A file with the size of its content.
  public mutating func addFile(_ path: String, mode: UInt32 = 0o644, _ content: [UInt8]) {
    add(TarEntry(path, .file(size: Int64(content.count)), mode: mode), content: content)
  }

  public func entries() -> [TarEntry] { members.map(\.entry) }

  public func readContent(of entry: TarEntry, _ body: (ArraySlice<UInt8>) throws -> Void) throws {
    if let member = members.first(where: { $0.entry.path == entry.path }) { try body(member.content[...]) }
  }
}

/// The order of members in a layer: by the bytes of their names, directories before what is in them.
struct LayerOrder: Comparable {
  private let key: [UInt8]
  private let isHardLink: Bool

  init(_ entry: TarEntry) {
    // `/` sorts before everything else, so `a/b` comes before `a-b`.
    key = entry.path.utf8.map { $0 == UInt8(ascii: "/") ? 0 : $0 }
    if case .hardLink = entry.kind { isHardLink = true } else { isHardLink = false }
  }

  /// Hard links come last, when their targets exist.
  static func < (left: LayerOrder, right: LayerOrder) -> Bool {
    if left.isHardLink != right.isHardLink { return right.isHardLink }
    return left.key.lexicographicallyPrecedes(right.key)
  }
}
