import Foundation
import PlatformHarness
import TestSupport

/// One tree of files as images of several kinds, and the tree itself, to compare with.
struct CrashImages {
  /// How the layers are made: with tables of contents, or plain.
  enum Kind: String, CaseIterable {
    case estargz, zstdChunked = "zstd:chunked", plain

    var repository: String { "crash/\(rawValue.filter(\.isLetter).lowercased())" }
  }

  /// The files as they are in the images, below `data`.
  let truth: String
  /// The images' archives, by kind.
  private let archives: [Kind: String]

  private static let sizes = [10, 4096, 4097, 70_000, 300_000, 1_000_000, 1_500_000, 2_000_000]

  /// Makes the tree and packs it.
  init(in directory: String, nagaya: String, seed: UInt64) async throws {
    let shell = Shell()
    truth = "\(directory)/truth"
    var random = SeededGenerator(seed: seed)
    for layer in 0..<2 {
      let data = "\(directory)/layer\(layer)/data/\(layer)"
      try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
      for (index, size) in Self.sizes.enumerated() {
        let bytes = Self.content(size, holes: index % 3 == 0, random: &random)
        try Data(bytes).write(to: URL(fileURLWithPath: "\(data)/f\(index)"))
      }
      try Data(count: 600_000).write(to: URL(fileURLWithPath: "\(data)/zeros"))
    }
    try CrashReader.source.write(toFile: "\(directory)/reader.c", atomically: true, encoding: .utf8)
    try await shell.succeed(
      """
      cd '\(directory)' && cc -static -O1 -o layer0/reader reader.c && strip layer0/reader
      mkdir layer0/truth layer0/control truth && cp -a layer0/data layer1/data truth/
      '\(PlatformInstance.root)/scripts/pack-layers' layout layer0 layer1 && tar -C layout -cf plain.tar .
      for format in estargz zstd:chunked; do '\(nagaya)' image convert plain.tar ${format/:/}.tar --format $format; done
      """, seconds: 300)
    archives = [
      .plain: "\(directory)/plain.tar", .estargz: "\(directory)/estargz.tar",
      .zstdChunked: "\(directory)/zstdchunked.tar",
    ]
  }

  /// Random bytes, of which none is zero but in holes: a zero that is read elsewhere was never written.
  private static func content(_ size: Int, holes: Bool, random: inout SeededGenerator) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(size + 8)
    while bytes.count < size {
      withUnsafeBytes(of: random.next()) { bytes += $0.map { $0 == 0 ? 1 : $0 } }
      if holes, bytes.count % 65_536 == 0, size > 65_536 { bytes += [UInt8](repeating: 0, count: 8192) }
    }
    return Array(bytes.prefix(size))
  }

  /// Pushes all kinds to a registry.
  func push(to registry: String, work: String) async throws {
    let engine = try await ImageEngine(.overlayfs, in: work, nagaya: "")
    do {
      for kind in Kind.allCases {
        let name = "\(registry)/\(kind.repository)"
        try await engine.shell.succeed(
          """
          ctr images import --local --no-unpack --base-name \(name) '\(archives[kind] ?? "")' >/dev/null
          ctr images push --plain-http --local \(name):latest >/dev/null
          """, seconds: 120)
      }
    } catch {
      await engine.destroy()
      throw error
    }
    await engine.destroy()
  }
}
