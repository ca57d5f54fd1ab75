import EStargz
import Foundation
import JSONDocument
import OCI
import PlatformHarness
import TestSupport
import Testing

/// Plain layers converted, read back by us and by the programs that others use.
@Suite struct ConversionTests {
  static let formats = [LayerFormat.estargz, .zstdChunked]

  private func convert(_ tar: [UInt8], _ conversion: LayerConversion) async throws -> (ConvertedLayer, [UInt8]) {
    var blob: [UInt8] = []
    let converted = try await conversion.convert(MemoryBytes(tar), to: &blob)
    return (converted, blob)
  }

  private func read(_ converted: ConvertedLayer, _ blob: [UInt8]) throws -> LazyLayer {
    let footer = try TOCLocation(footer: Array(blob.suffix(Int(TOCLocation.footerBytes))), of: converted.descriptor)
    let location = TOCLocation(converted.descriptor) ?? footer
    #expect(location.range == footer.range)
    let range = try #require(location.range)
    return try LazyLayer(
      toc: Array(blob[Int(range.lowerBound)..<Int(range.upperBound)]), at: location, contentEnd: Int64(blob.count))
  }

  @Test(arguments: formats) func `a converted layer has the same files`(_ format: LayerFormat) async throws {
    let tar = try gunzip(try Fixture("plain").blob)
    let (converted, blob) = try await convert(tar, LayerConversion(to: format, chunkBytes: 30_000))
    #expect(converted.descriptor.digest == Digest(of: blob))
    #expect(converted.descriptor.size == Int64(blob.count))
    let layer = try read(converted, blob)
    #expect(layer.chunks.isVerifiable)
    #expect(layer.chunks.chunks.count > 30)
    #expect(layer.prefetch == nil)
    let found = description(of: layer.tree, device: try device(of: layer, from: blob))
    #expect(found == description(of: try tarLayer(tar), device: tar))
    // Unpacked as a plain layer it is the archive that the diff ID names, with the landmark and the table in it.
    let archive = try unpacked(blob)
    #expect(Digest(of: archive) == converted.diffID)
    #expect(Int64(archive.count) == Int64(converted.descriptor.annotations[TOCAnnotation.uncompressedSize] ?? ""))
    let plain = try tarLayer(archive)
    #expect(plain.nodes.count == layer.tree.nodes.count + (format == .estargz ? 2 : 1))
  }

  private func unpacked(_ blob: [UInt8]) throws -> [UInt8] {
    let indexer = try SeekIndexer(LayerCompression(firstBytes: blob))
    var all: [UInt8] = []
    try indexer.consume(blob[...]) { all += $0 }
    _ = try indexer.finish()
    return all
  }

  @Test(arguments: formats) func `the same input gives the same bytes however many work on it`(_ format: LayerFormat)
    async throws
  {
    let tar = try gunzip(try Fixture("plain").blob)
    var blobs: Set<[UInt8]> = []
    for parallelism in [1, 2, 7] {
      blobs.insert(try await convert(tar, LayerConversion(to: format, chunkBytes: 8192, parallelism: parallelism)).1)
    }
    #expect(blobs.count == 1)
  }

  @Test(arguments: formats) func `prioritised files come first, with what they need`(_ format: LayerFormat) async throws
  {
    let tar = try gunzip(try Fixture("plain").blob)
    let wanted = ["usr/bin/hard", "etc/f7", "not/there"].map { Array($0.utf8) }
    let (converted, blob) = try await convert(tar, LayerConversion(to: format, prioritized: wanted))
    #expect(converted.foundPrioritized == 2)
    let layer = try read(converted, blob)
    let prefetch = try #require(layer.prefetch)
    // The link's target and the other file, nothing else.
    let early = layer.chunks.chunks.filter { $0.blobOffset < prefetch.upperBound }
    #expect(early.map(\.length).sorted() == [8, 5000])
    #expect(prefetch.upperBound < Int64(blob.count) / 4)
    let members = try TarMap(MemoryBytes(try unpacked(blob))).members.map {
      String(decoding: $0.entry.path, as: UTF8.self)
    }
    #expect(
      members.prefix(8) == [
        "", "usr", "usr/bin", "usr/bin/true", "usr/bin/hard", "etc", "etc/f7", ".prefetch.landmark",
      ]
    )
    let found = description(of: layer.tree, device: try device(of: layer, from: blob))
    #expect(found == description(of: try tarLayer(tar), device: tar))
  }

  @Test func `a layer that is converted twice has one landmark and one table`() async throws {
    let tar = try gunzip(try Fixture("plain").blob)
    let once = try await convert(tar, LayerConversion(to: .estargz)).1
    let twice = try await convert(try unpacked(once), LayerConversion(to: .estargz)).1
    #expect(once == twice)
  }

  @Test func `of two members of one name the last stays, whatever is prioritised`() async throws {
    var writer = TarWriter([UInt8]())
    for content in ["first", "second"] {
      try writer.append(TarEntry("f", .file(size: Int64(content.utf8.count))), content: Array(content.utf8))
    }
    try writer.append(TarEntry("l", .hardLink(target: "f")))
    try writer.finish()
    for prioritized in [[], ["f"], ["l"]] {
      let (converted, blob) = try await convert(
        writer.sink, LayerConversion(to: .estargz, prioritized: prioritized.map { Array($0.utf8) }))
      let layer = try read(converted, blob)
      #expect(try device(of: layer, from: blob).prefix(6) == ArraySlice("second".utf8))
      #expect(layer.tree.children(of: 0).count == 2)
    }
  }

  @Test func `an archive whose members' order matters is not converted`() async throws {
    func archive(_ members: [(String, TarEntry.Kind)]) throws -> [UInt8] {
      var writer = TarWriter([UInt8]())
      for (number, (name, kind)) in members.enumerated() {
        try writer.append(TarEntry(name, kind, modificationTime: Int64(number)))
      }
      try writer.finish()
      return writer.sink
    }
    // A link to what is replaced later; a directory that gives its time to what takes its place.
    for members: [(String, TarEntry.Kind)] in [
      [("f", .fifo), ("l", .hardLink(target: "f")), ("f", .fifo)], [("d", .directory), ("d", .fifo)],
    ] {
      let tar = try archive(members)
      let error = await #expect(throws: LayerTOCError.self) { try await convert(tar, LayerConversion(to: .estargz)) }
      #expect(error?.reason == .dependsOnOrder)
    }
    _ = try await convert(try archive([("f", .fifo), ("f", .directory), ("l", .fifo)]), LayerConversion(to: .estargz))
  }

  @Test func `links that lead in a circle do not keep us busy`() async throws {
    var writer = TarWriter([UInt8]())
    try writer.append(TarEntry("a", .hardLink(target: "b")))
    try writer.append(TarEntry("b", .hardLink(target: "a")))
    try writer.finish()
    await #expect(throws: LayerError.self) {
      try await convert(writer.sink, LayerConversion(to: .estargz, prioritized: [Array("a".utf8)]))
    }
  }

  @Test func `names that are not UTF-8 are refused`() async throws {
    let directory = "/tmp/nagaya-convert-\(UInt64.random(in: 0 ... .max))"
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try await Shell().succeed("mkdir \(directory) && cd \(directory) && : > $'latin-\\xe9' && tar -cf t.tar latin*")
    let tar = Array(try Data(contentsOf: URL(fileURLWithPath: "\(directory)/t.tar")))
    await #expect(throws: LayerTOCError.self) { try await convert(tar, LayerConversion(to: .estargz)) }
  }

  @Test(arguments: formats) func `GNU tar unpacks it to the same tree`(_ format: LayerFormat) async throws {
    let directory = "/tmp/nagaya-convert-\(UInt64.random(in: 0 ... .max))"
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let plain = try Fixture("plain").blob
    let blob = try await convert(try gunzip(plain), LayerConversion(to: format, chunkBytes: 30_000)).1
    try Data(plain).write(to: URL(fileURLWithPath: "\(directory)/plain"))
    try Data(blob).write(to: URL(fileURLWithPath: "\(directory)/converted"))
    let program = format == .estargz ? "gzip -dc" : "zstd -dcq"
    try await Shell().succeed(
      """
      cd \(directory) && mkdir a b && gzip -dc < plain | tar -C a --xattrs --xattrs-include='*' -xpf -
      \(program) < converted > converted.tar && tar -tf converted.tar > /dev/null
      tar -C b --xattrs --xattrs-include='*' -xpf converted.tar
      test -e b/.no.prefetch.landmark && rm b/.no.prefetch.landmark && rm -f b/stargz.index.json
      diff -r --no-dereference -x pipe -x null a b
      for t in a b; do (cd $t && find . -mindepth 1 -printf '%p %m %U %G %n %T@ %l\\n' | LC_ALL=C sort > ../$t.list); done
      cmp a.list b.list
      """, seconds: 300)
  }
}
