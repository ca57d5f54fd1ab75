import JSONDocument
import TestSupport
import Testing

@testable import OCI

@Suite struct ImageArchiveTests {
  func tree(reversed: Bool = false) -> MemoryFileTree {
    var tree = MemoryFileTree()
    let add: [(inout MemoryFileTree) -> Void] = [
      { $0.add(TarEntry("bin", .directory)) }, { $0.addFile("bin/hello", mode: 0o755, Array("#!".utf8)) },
      { $0.add(TarEntry("a-hard-link", .hardLink(target: "bin/hello"))) },
      { $0.add(TarEntry("bin-is-later", .fifo)) }, { $0.addFile("bin/2", [2]) },
    ]
    for step in reversed ? add.reversed() : add { step(&tree) }
    return tree
  }

  func pack(_ tree: MemoryFileTree, config: ImageConfig = ImageConfig(platform: Platform(architecture: "amd64")))
    throws -> (PackedImage, [UInt8])
  {
    let sink = Collector()
    let image = try ImageArchiveWriter.write(
      tree, as: ImageReference("nagaya.local/hello:1"), config: config, spool: MemorySpool(), to: sink)
    return (image, sink.bytes)
  }

  /// A sink that is still at hand after the writer was done with it.
  final class Collector: ByteSink {
    var bytes: [UInt8] = []
    func write(_ bytes: ArraySlice<UInt8>) { self.bytes += bytes }
  }

  @Test func `equal trees give equal archives in whatever order they are walked`() throws {
    let (first, bytes) = try pack(tree())
    let (second, again) = try pack(tree(reversed: true))
    #expect(first == second)
    #expect(bytes == again)
    #expect(first.entries == 5)
  }

  @Test func `directories come before their members and hard links last`() throws {
    let (_, bytes) = try pack(tree())
    let blobs = try members(of: bytes)
    let layer = try #require(blobs.first { $0.1.starts(with: [0x1F, 0x8B]) })
    var reader = TarReader(try GunzipSource(MemorySource(layer.1)))
    var names: [String] = []
    while let entry = try reader.next() { names.append(entry.path) }
    #expect(names == ["bin", "bin/2", "bin/hello", "bin-is-later", "a-hard-link"])
  }

  @Test func `the archive says how the image runs and what it is called`() throws {
    let config = ImageConfig(
      platform: Platform(architecture: "amd64"), environment: ["A=1"], entrypoint: ["/bin/hello"], command: ["-v"],
      workingDirectory: "/", user: "1000:1000", ports: [8080], labels: ["l": "v"], stopSignal: "SIGINT")
    let (image, bytes) = try pack(tree(), config: config)
    let images = try ImageArchiveReader.check(MemorySource(bytes))
    #expect(images.map(\.name) == ["nagaya.local/hello:1"])
    #expect(images.map(\.digest) == [image.digest])
    #expect(images.map(\.platform?.description) == ["linux/amd64"])
    let documents = try members(of: bytes).compactMap { try? JSONValue(parsing: $0.1) }
    let read = try #require(documents.compactMap(ImageConfig.init(json:)).first)
    var expected = config
    expected.diffIDs = read.diffIDs
    #expect(read == expected)
    #expect(read.diffIDs.count == 1)
  }

  @Test func `a compressed archive is checked too`() throws {
    var sink = try GzipSink([UInt8]())
    try sink.write(try pack(tree()).1)
    try sink.finish()
    #expect(try ImageArchiveReader.check(MemorySource(sink.base)).count == 1)
  }

  @Test func `every damaged or missing blob is found`() throws {
    let (_, bytes) = try pack(tree())
    let all = try members(of: bytes)
    for (index, member) in all.enumerated() where member.0.path.hasPrefix("blobs/sha256/") {
      var without = all
      without.remove(at: index)
      let missing = try archive(without)
      #expect(throws: ImageArchiveError.self) { try ImageArchiveReader.check(MemorySource(missing)) }
      var damaged = all
      damaged[index].1[damaged[index].1.count / 2] ^= 1
      let broken = try archive(damaged)
      #expect(throws: ImageArchiveError.self) { try ImageArchiveReader.check(MemorySource(broken)) }
    }
  }

  @Test func `what is no image archive says so`() throws {
    let plain = try archive([(TarEntry("readme", .file(size: 1)), [1])])
    #expect(throws: ImageArchiveError(description: "this is no image archive: it has no file oci-layout")) {
      try ImageArchiveReader.check(MemorySource(plain))
    }
  }

  @Test func `damaged archives are refused, never trusted`() throws {
    let (image, good) = try pack(tree())
    var random = SeededGenerator(seed: 7)
    for _ in 0..<400 {
      var bytes = good
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      // Either damage that does not matter (padding, times) or an error: never another image.
      if let images = try? ImageArchiveReader.check(MemorySource(bytes)) {
        #expect(images.allSatisfy { $0.digest == image.digest })
      }
    }
  }
}
