import Testing

@testable import OCI

@Suite struct LayerTreeTests {
  private func entry(_ path: String, _ kind: LayerEntry.Kind = .fifo, uid: UInt32 = 0) -> LayerEntry {
    LayerEntry(path: Array(path.utf8), kind: kind, attributes: FileAttributes(uid: uid))
  }

  private func tree(_ entries: [LayerEntry]) throws -> LayerTree {
    var builder = LayerTreeBuilder()
    for entry in entries { try builder.add(entry) }
    return try builder.finish()
  }

  private func names(_ tree: LayerTree) -> [String] {
    var names: [String] = []
    tree.forEachName { path, _ in names.append(String(decoding: path, as: UTF8.self)) }
    return names
  }

  private func node(_ tree: LayerTree, _ path: String) throws -> LayerTree.Node {
    let index = tree.node(at: Array(path.utf8))
    return tree.nodes[try #require(index)]
  }

  @Test func `missing directories are implied until they are described`() throws {
    let found = try tree([entry("a/b/c"), entry("a", .directory, uid: 7)])
    #expect(names(found) == ["", "a", "a/b", "a/b/c"])
    #expect(try node(found, "a/b").isImplied)
    #expect(try !node(found, "a").isImplied)
    #expect(try node(found, "a").attributes.uid == 7)
    #expect(found.nodes[0].isImplied)
    // containerd passes over what an archive says of the root.
    #expect(try tree([entry("", .directory, uid: 3)]).nodes[0].attributes.uid == 0)
    #expect(try names(tree([entry("")])) == [""])
  }

  @Test func `later members replace earlier ones`() throws {
    let found = try tree([
      entry("a/b"), entry("a", .file(size: 0)), entry("c", .fifo, uid: 1), entry("c", .directory), entry("c/d"),
    ])
    #expect(names(found) == ["", "a", "c", "c/d"])
    #expect(found.nodes.count == 4)
  }

  @Test func `whiteouts hide only what is below`() throws {
    let found = try tree([
      entry("gone/.wh.x", .file(size: 0)), entry("same"), entry(".wh.same", .file(size: 0)),
      entry(".wh.back", .file(size: 0)), entry("back", .directory), entry("o/.wh..wh..opq", .file(size: 0)),
      entry(".wh..wh.plnk", .file(size: 0)), entry("d", .directory), entry(".wh.d", .file(size: 0)),
      entry("dev", .characterDevice(major: 0, minor: 0)),
    ])
    #expect(names(found) == ["", "back", "d", "dev", "gone", "gone/x", "o", "same"])
    #expect(try node(found, "gone/x").content == .whiteout)
    #expect(try node(found, "dev").content == .whiteout)
    #expect(try node(found, "same").content == .fifo)
    #expect(try node(found, "o").isOpaque && node(found, "d").isOpaque)
    // As containerd unpacks it: a directory takes the whiteout's place.
    #expect(try !node(found, "back").isOpaque)
  }

  @Test func `hard links share a node and may come before their target`() throws {
    let found = try tree([
      entry("l1", .hardLink(target: Array("l2".utf8))), entry("l2", .hardLink(target: Array("f".utf8))),
      entry("f", .file(size: 0)), entry("l3", .hardLink(target: Array("f".utf8))),
    ])
    #expect(Set(found.children(of: 0).map(\.node)).count == 1)
    #expect(try node(found, "f").linkCount == 4)
  }

  @Test func `a hard link's own attributes are its target's`() throws {
    func link(_ path: String, _ attributes: FileAttributes) -> LayerEntry {
      LayerEntry(path: Array(path.utf8), kind: .hardLink(target: Array("f".utf8)), attributes: attributes)
    }
    let found = try tree([
      LayerEntry(
        path: Array("f".utf8), kind: .file(size: 0),
        attributes: FileAttributes(mode: 0o600, uid: 1, extendedAttributes: ["user.a": [1], "user.b": [1]])),
      link("g", FileAttributes(mode: 0o755, uid: 2, gid: 3, extendedAttributes: ["user.b": [2], "trusted.c": [3]])),
    ])
    #expect(
      try node(found, "f").attributes
        == FileAttributes(mode: 0o755, uid: 2, gid: 3, extendedAttributes: ["user.a": [1], "user.b": [2]]))
  }

  @Test func `what takes a directory's place gets its time, a hard link too`() throws {
    func timed(_ path: String, _ kind: LayerEntry.Kind, _ seconds: Int64) -> LayerEntry {
      var entry = entry(path, kind)
      entry.attributes.modificationTime = FileTime(seconds: seconds)
      return entry
    }
    let found = try tree([
      timed("a", .file(size: 0), 1), timed("d", .directory, 2), timed("e", .directory, 3),
      timed("d", .hardLink(target: Array("a".utf8)), 4), timed("b", .hardLink(target: Array("a".utf8)), 5),
      timed("e", .fifo, 6),
    ])
    #expect(try node(found, "a").attributes.modificationTime.seconds == 2)
    #expect(try node(found, "e").attributes.modificationTime.seconds == 3)
  }

  @Test func `links that lead far keep nobody busy`() throws {
    let detour = String(repeating: "./", count: 1900)
    var entries: [LayerEntry] = [entry("end")]
    for link in 0..<39 {
      entries.append(
        entry("l\(link)", .symbolicLink(target: Array((detour + (link < 38 ? "l\(link + 1)" : "end")).utf8))))
    }
    for number in 0..<3000 {
      entries.append(entry("d\(number)", .directory))
      entries.append(entry("d\(number)", .symbolicLink(target: Array("l0".utf8))))
    }
    let found = try tree(entries)
    #expect(found.children(of: 0).count == 3040)
  }

  @Test func `what is implied in a directory that hands its group on has it`() throws {
    var shared = entry("d", .directory)
    shared.attributes.mode = 0o2750
    shared.attributes.gid = 1000
    let found = try tree([shared, entry("d/new/newer/x"), entry("e/f")])
    #expect(try node(found, "d/new").attributes.gid == 1000)
    #expect(try node(found, "d/new").attributes.mode & 0o7777 == 0o755)
    #expect(try node(found, "d/new/newer").attributes.gid == 0)
    #expect(try node(found, "e").attributes.gid == 0)
  }

  @Test func `times and attributes are those that containerd sets`() throws {
    func attributes(_ kind: LayerEntry.Kind, _ given: FileAttributes) throws -> FileAttributes {
      try node(tree([LayerEntry(path: Array("f".utf8), kind: kind, attributes: given)]), "f").attributes
    }
    for (seconds, kept) in [(-1, 0), (5, 5), (9_223_372_036, 9_223_372_036), (9_223_372_037, 0)] as [(Int64, Int64)] {
      let found = try attributes(.fifo, FileAttributes(modificationTime: FileTime(seconds: seconds)))
      #expect(found.modificationTime.seconds == kept)
    }
    let all: [String: [UInt8]] = ["user.a": [1], "trusted.b": [2], "security.c": [3]]
    let given = FileAttributes(extendedAttributes: all)
    #expect(try attributes(.file(size: 0), given).extendedAttributes.keys.sorted() == ["security.c", "user.a"])
    #expect(try attributes(.symbolicLink(target: [65]), given).extendedAttributes.keys.sorted() == ["security.c"])
  }

  @Test(arguments: [
    ("", ""), ("/", ""), (".", ""), ("./", ""), ("/ko-app/x", "ko-app/x"), ("a/../b", "b"), ("a/b/../../c", "c"),
    ("./a//b/", "a/b"), ("/../x", "x"), ("a/..", ""), ("/..", ""),
  ]) func `names are cleaned as containerd cleans them`(_ name: String, _ path: String) throws {
    #expect(try LayerPath.plain(Array(name.utf8)) == Array(path.utf8))
  }

  @Test(arguments: ["..", "../x", "a/../../x", "./../x"]) func `names that lead out are refused`(_ name: String) {
    #expect(throws: LayerPath.Fault.leadsOut) { try LayerPath.plain(Array(name.utf8)) }
  }

  @Test func `a long chain of links against their order is refused soon`() throws {
    var builder = LayerTreeBuilder()
    for index in 0..<20_000 {
      try builder.add(entry("l\(index)", .hardLink(target: Array("l\(index + 1)".utf8))))
    }
    try builder.add(entry("l20000", .fifo))
    do {
      _ = try builder.finish()
      Issue.record("accepted")
    } catch { #expect(error.reason == .missingLinkTarget) }
  }

  @Test func `directories count their subdirectories`() throws {
    let found = try tree([entry("a", .directory), entry("b", .directory), entry("c")])
    #expect(found.nodes[0].linkCount == 4)
  }

  @Test func `what cannot be mounted is refused`() {
    func refused(_ reason: LayerError.Reason, _ entries: LayerEntry...) {
      do {
        _ = try tree(entries)
        Issue.record("accepted \(entries)")
      } catch { #expect((error as? LayerError)?.reason == reason) }
    }
    refused(.parentIsNoDirectory, entry("a"), entry("a/b"))
    refused(.parentIsNoDirectory, entry("a", .symbolicLink(target: Array("/".utf8))), entry("a/etc/shadow"))
    refused(.missingLinkTarget, entry("a", .hardLink(target: Array("b".utf8))))
    refused(
      .missingLinkTarget, entry("a", .hardLink(target: Array("b".utf8))), entry("b", .hardLink(target: Array("a".utf8)))
    )
    refused(.linkToDirectory, entry("d", .directory), entry("a", .hardLink(target: Array("d".utf8))))
    refused(.badWhiteout, entry(".wh."))
    refused(.badWhiteout, entry("d/.wh..."))
    refused(.parentIsNoDirectory, entry(".wh.a", .file(size: 0)), entry("a/b"))
    refused(.nameTooLong, entry(String(repeating: "n", count: 256)))
    refused(.nameTooLong, entry(String(repeating: "n", count: 256) + "/a"))
  }

  @Test func `the number of files is bounded, implied ones too`() {
    var builder = LayerTreeBuilder(nodeLimit: 50)
    #expect(throws: LayerError.self) { try builder.add(entry(String(repeating: "d/", count: 60) + "f")) }
    var links = LayerTreeBuilder(nodeLimit: 50)
    #expect(throws: LayerError.self) {
      try links.add(entry("f"))
      for index in 0..<60 { try links.add(entry("l\(index)", .hardLink(target: Array("f".utf8)))) }
    }
  }

  @Test func `extents must lie in the file and not overlap`() {
    func refused(_ extents: DataExtent...) {
      var builder = LayerTreeBuilder()
      #expect(throws: LayerError.self) { try builder.add(entry("f", .file(size: 100)), extents: extents) }
    }
    refused(DataExtent(length: 101, deviceOffset: 0))
    refused(DataExtent(fileOffset: 99, length: 2, deviceOffset: 0))
    refused(DataExtent(length: 1, deviceOffset: -1))
    refused(DataExtent(length: 0, deviceOffset: 0))
    refused(DataExtent(length: 10, deviceOffset: .max - 5))
    refused(DataExtent(length: 10, deviceOffset: 0), DataExtent(fileOffset: 9, length: 1, deviceOffset: 0))
    refused(DataExtent(fileOffset: .max, length: 1, deviceOffset: 0))
  }

  @Test func `merged layers look as overlayfs shows them`() throws {
    let lower = try tree([
      entry("a", .directory, uid: 1), entry("a/x", .file(size: 0)), entry("b", .directory), entry("b/y"), entry("c"),
      entry("keep/deep/z"), entry("h1", .file(size: 0)), entry("h2", .hardLink(target: Array("h1".utf8))),
    ])
    let upper = try tree([
      entry("a/new"), entry("b/.wh..wh..opq", .file(size: 0)), entry("b/n"), entry(".wh.c"), entry("keep", .fifo),
      entry("h1", .fifo),
    ])
    let merged = LayerTree.merged([lower, upper])
    #expect(names(merged) == ["", "a", "a/new", "a/x", "b", "b/n", "h1", "h2", "keep"])
    #expect(try node(merged, "a").attributes.uid == 1)  // the upper layer only implies it
    #expect(try node(merged, "keep").content == .fifo)
    #expect(try node(merged, "h2").linkCount == 1)
    #expect(merged.nodes.allSatisfy { $0.content != .whiteout && !$0.isOpaque })
  }

  @Test func `extents of merged layers name their device`() throws {
    var builders = [LayerTreeBuilder(), LayerTreeBuilder()]
    for index in 0..<2 {
      try builders[index].add(
        entry("f\(index)", .file(size: 5)), extents: [DataExtent(length: 5, deviceOffset: Int64(index) * 512)])
    }
    let merged = LayerTree.merged([try builders[0].finish(), try builders[1].finish()])
    let devices = merged.nodes.compactMap { node -> UInt16? in
      if case .file(_, let extents) = node.content { return extents.first?.device }
      return nil
    }
    #expect(devices == [1, 2])
  }
}
