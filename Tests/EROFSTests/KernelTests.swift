import EROFS
import Foundation
import OCI
import PlatformHarness
import TestSupport
import Testing

/// Our images in the real kernel, and what erofs-utils say.
@Suite struct KernelTests {
  let shell = Shell()

  /// A tree with one of everything, on disk and as GNU tar packs it.
  private func source() async throws -> TemporaryDirectory {
    let directory = try TemporaryDirectory()
    try await shell.succeed(
      """
      cd \(directory.path) && mkdir tree && cd tree
      mkdir -p empty usr/lib/deep/er "$(printf 'd%.0s' {1..255})" many
      printf hello > usr/hello; ln usr/hello usr/lib/hard; ln usr/hello zzz-hard
      : > usr/nothing; head -c 3000000 /dev/urandom > usr/lib/large; head -c 4096 /dev/zero > usr/lib/block
      head -c 100001 /dev/urandom > usr/lib/odd
      ln -s ../usr/hello link; ln -s "$(printf 'long/%.0s' {1..120})end" long-link; ln -s "$(printf 'x%.0s' {1..4000})" huge-link
      mknod null c 1 3; mknod block b 8 259; mknod big c 511 1048575; mkfifo pipe
      printf x > "$(printf 'f%.0s' {1..255})"; printf x > $'new\\nline'; printf x > $'latin-\\xe9'; printf x > 長屋
      for i in {1..1500}; do printf $i > many/file-with-a-name-of-some-length-$i; done
      python3 - <<'P'
      import os
      os.setxattr("usr/hello", "user.note", b"of a file")
      os.setxattr("usr/lib", "user.empty", b"")
      os.setxattr("usr/lib", "user.thing", bytes(range(256)))
      os.setxattr("usr/lib/odd", "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))
      os.setxattr("usr/nothing", "user.large", b"v" * 3000)
      P
      chown 1000:4000000000 usr/hello; chmod 6755 usr/hello; chmod 1777 empty; chown 7:8 -h link
      touch -h -d @1700000000.123456789 link usr/hello; touch -d @5000000000.5 usr/nothing; touch -d @5.25 usr/lib/odd
      touch -d @1600000000 usr/lib usr many empty .
      tar --format=posix --xattrs --xattrs-include='*' --numeric-owner -cf ../tree.tar .
      """, seconds: 300)
    return directory
  }

  private func read(_ tar: [UInt8]) throws -> LayerTree {
    var reader = TarLayerReader()
    for start in stride(from: 0, to: tar.count, by: 100_000) {
      try reader.consume(tar[start..<min(tar.count, start + 100_000)])
    }
    #expect(reader.offset == Int64(tar.count))
    return try reader.finish()
  }

  @Test func `a tar archive is mounted as it is, with every attribute`() async throws {
    let directory = try await source()
    let tree = try read(try directory.read("tree.tar"))
    let tar = "\(directory.path)/tree.tar"
    let mounted = try MountedImage(tree, blockSize: .tar, devices: [tar])
    let expected = try await listing(of: "\(directory.path)/tree")
    #expect(expected.count > 1520)
    let found1 = try await differences("\(directory.path)/tree", mounted.root)
    #expect(found1 == [])
    try await mounted.check(devices: [tar])
  }

  @Test func `a packed device holds the same tree`() async throws {
    let directory = try await source()
    let tar = try directory.read("tree.tar")
    let (tree, data) = try packed(try read(tar), tar)
    let device = try directory.write(data, to: "data")
    let mounted = try MountedImage(tree, blockSize: .page, devices: [device])
    let found2 = try await differences("\(directory.path)/tree", mounted.root)
    #expect(found2 == [])
    try await mounted.check(devices: [device])
  }

  @Test func `equal trees give equal images`() async throws {
    let directory = try await source()
    let tree = try read(try directory.read("tree.tar"))
    var images: [[UInt8]] = [[], []]
    for index in images.indices {
      try EROFSWriter(tree, options: EROFSOptions(blockSize: .tar, deviceBytes: [1 << 30])).write(to: &images[index])
    }
    #expect(images[0] == images[1])
  }

  @Test(arguments: [EROFSOptions.BlockSize.tar, .page]) func `a directory of 100,000 names is searched and listed`(
    _ blockSize: EROFSOptions.BlockSize
  ) async throws {
    var builder = LayerTreeBuilder()
    for index in 0..<100_000 {
      try builder.add(
        LayerEntry(
          path: Array("d/n\(index)".utf8), kind: index % 10 == 0 ? .directory : .fifo,
          attributes: FileAttributes(uid: UInt32(index))))
    }
    let directory = try TemporaryDirectory()
    let device = try directory.write([], to: "data")
    let mounted = try MountedImage(try builder.finish(), blockSize: blockSize, devices: [device])
    #expect(try await shell.succeed("ls -f \(mounted.root)/d | wc -l") == "100002\n")
    let owners = try await shell.succeed("cd \(mounted.root)/d && stat -c %u n0 n1 n9 n10 n99999 n54321")
    #expect(owners.split(separator: "\n") == ["0", "1", "9", "10", "99999", "54321"])
    #expect(try await shell.succeed("stat -c %h \(mounted.root)/d") == "10002\n")
    #expect(try await shell("stat \(mounted.root)/d/n100000").succeeded == false)
  }

  @Test func `files larger than 4 GiB keep their holes`() async throws {
    let size: Int64 = 6 << 30 | 5
    let directory = try TemporaryDirectory()
    let data = (0..<16384).map { UInt8(truncatingIfNeeded: $0 / 7 + 1) }
    let device = try directory.write(data, to: "data")
    var builder = LayerTreeBuilder()
    try builder.add(
      LayerEntry(path: Array("sparse".utf8), kind: .file(size: size)),
      extents: [
        DataExtent(fileOffset: 0, length: 8192, deviceOffset: 4096),
        DataExtent(fileOffset: 5 << 30, length: 4096, deviceOffset: 0),
        DataExtent(fileOffset: 6 << 30, length: 5, deviceOffset: 12288),
      ])
    try builder.add(LayerEntry(path: Array("hole".utf8), kind: .file(size: 5 << 30)))
    let mounted = try MountedImage(try builder.finish(), blockSize: .page, devices: [device])
    func bytes(_ file: String, _ offset: Int64, _ count: Int) throws -> [UInt8] {
      let handle = try #require(FileHandle(forReadingAtPath: "\(mounted.root)/\(file)"))
      defer { try? handle.close() }
      try handle.seek(toOffset: UInt64(offset))
      return Array(try handle.read(upToCount: count) ?? Data())
    }
    #expect(try bytes("sparse", 0, 10_000) == Array(data[4096..<12288]) + [UInt8](repeating: 0, count: 1808))
    #expect(try bytes("sparse", 5 << 30 - 3, 4102) == [0, 0, 0] + Array(data[0..<4096]) + [0, 0, 0])
    #expect(try bytes("sparse", 6 << 30 - 1, 100) == [0] + Array(data[12288..<12293]))
    #expect(try bytes("hole", 4 << 30, 3) == [0, 0, 0])
    try await mounted.check(devices: [device])
  }

  @Test func `whiteouts and opaque directories work below overlayfs`() async throws {
    let directory = try TemporaryDirectory()
    func layer(_ script: String, _ name: String) async throws -> (LayerTree, String) {
      try await shell.succeed(
        "cd \(directory.path) && mkdir \(name) && cd \(name) && \(script) && tar --format=posix -cf ../\(name).tar .")
      return (try read(try directory.read("\(name).tar")), "\(directory.path)/\(name).tar")
    }
    let (lower, lowerTar) = try await layer(
      "mkdir -p a/old b c/sub && echo 1 > a/old/x && echo 1 > b/gone && echo 1 > b/stays && echo 1 > c/sub/f && echo 1 > c/g",
      "lower")
    let (upper, upperTar) = try await layer(
      "mkdir -p a b c && : > a/.wh..wh..opq && echo 2 > a/new && : > b/.wh.gone && : > .wh.c && echo 2 > c/h && mkdir d",
      "upper")
    let mounted = [
      try MountedImage(lower, blockSize: .tar, devices: [lowerTar]),
      try MountedImage(upper, blockSize: .tar, devices: [upperTar]),
    ]
    let merge = "\(directory.path)/merge"
    try await shell.succeed("mkdir \(merge)")
    try await shell.succeed("mount -t overlay -o lowerdir=\(mounted[1].root):\(mounted[0].root) overlay \(merge)")
    let names = try await shell("cd \(merge) && find . -mindepth 1 | LC_ALL=C sort")
    let stacked = try await shell("cd \(merge) && find . -type f -exec cat {} + | sort | uniq -c")
    try await shell.succeed("umount \(merge)")
    #expect(
      names.out.split(separator: "\n") == ["./a", "./a/new", "./b", "./b/stays", "./c", "./c/h", "./d"])

    // The same two layers as one file system with two devices.
    let single = try MountedImage(.merged([lower, upper]), blockSize: .tar, devices: [lowerTar, upperTar])
    #expect(try await shell.succeed("cd \(single.root) && find . -mindepth 1 | LC_ALL=C sort") == names.out)
    #expect(
      try await shell.succeed("cd \(single.root) && find . -type f -exec cat {} + | sort | uniq -c") == stacked.out)
    try await single.check(devices: [lowerTar, upperTar])
  }

  /// Random trees, packed by us, unpacked by GNU tar, mounted by the kernel.
  @Test(arguments: [1, 2, 3] as [UInt64]) func `random trees look as tar unpacks them`(_ seed: UInt64) async throws {
    var random = SeededGenerator(seed: seed)
    var writer = TarWriter([UInt8]())
    var directories = ["."]
    var files: [TarEntry] = []
    try writer.append(TarEntry(".", .directory, modificationTime: 1))
    for index in 0..<400 {
      let parent = directories.randomElement(using: &random) ?? "."
      let length = Int.random(in: 1...200, using: &random)
      let name = "\(index)-" + String(repeating: "n", count: length)
      let path = parent == "." ? name : "\(parent)/\(name)"
      guard path.utf8.count < 3000 else { continue }
      let content = (0..<Int.random(in: 0...9000, using: &random)).map { UInt8(truncatingIfNeeded: $0 + index) }
      var entry = TarEntry(
        path, .fifo, mode: .random(in: 0...0o7777, using: &random), uid: .random(in: 0...5_000_000, using: &random),
        gid: .random(in: 0...5_000_000, using: &random), modificationTime: .random(in: 0...1 << 33, using: &random))
      if Int.random(in: 0..<4, using: &random) == 0 {
        entry.extendedAttributes["user.x\(index)"] = Array(content.prefix(Int.random(in: 0...900, using: &random)))
      }
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<3:
        entry.kind = .directory
        directories.append(path)
      case 3:
        entry.kind = .symbolicLink(target: String(repeating: "t", count: Int.random(in: 1...4000, using: &random)))
        entry.extendedAttributes = [:]
      case 4:
        entry.kind = .characterDevice(major: UInt32(index + 1), minor: UInt32(index * 1000))
        entry.extendedAttributes = [:]
      case 5:
        entry.extendedAttributes = [:]
      case 6:
        // tar leaves a link's own attributes out, containerd does not.
        guard var link = files.randomElement(using: &random) else { continue }
        link.kind = .hardLink(target: link.path)
        link.path = path
        try writer.append(link)
        continue
      default:
        entry.kind = .file(size: Int64(content.count))
        files.append(entry)
      }
      try writer.append(entry, content: entry.size > 0 ? content : [])
    }
    try writer.finish()
    let directory = try TemporaryDirectory()
    let tar = try directory.write(writer.sink, to: "tree.tar")
    try await shell.succeed(
      "mkdir \(directory.path)/tree && tar -C \(directory.path)/tree --xattrs --xattrs-include='*' --numeric-owner --delay-directory-restore -xpf \(tar)"
    )
    let mounted = try MountedImage(try read(writer.sink), blockSize: .tar, devices: [tar])
    let found3 = try await differences("\(directory.path)/tree", mounted.root)
    #expect(found3 == [])
    try await mounted.check(devices: [tar])
    let (tree, data) = try packed(try read(writer.sink), writer.sink)
    let device = try directory.write(data, to: "data")
    let second = try MountedImage(tree, blockSize: .page, devices: [device])
    let found4 = try await differences("\(directory.path)/tree", second.root)
    #expect(found4 == [])
    try await second.check(devices: [device])
  }
}

/// The tree with its content moved to a packed device.
func packed(_ tree: LayerTree, _ tar: [UInt8]) throws -> (LayerTree, [UInt8]) {
  var tree = tree
  var layout = PackedLayout()
  var data: [UInt8] = []
  for index in tree.nodes.indices {
    guard case .file(let size, let extents) = tree.nodes[index].content, let extent = extents.first else { continue }
    let place = layout.place(size)
    let offset = try #require(place)
    data += [UInt8](repeating: 0, count: Int(offset) - data.count)
    data += tar[Int(extent.deviceOffset)..<Int(extent.deviceOffset + size)]
    tree.nodes[index].content = .file(size: size, extents: [DataExtent(length: size, deviceOffset: offset)])
  }
  return (tree, data + [UInt8](repeating: 0, count: Int(layout.size) - data.count))
}
