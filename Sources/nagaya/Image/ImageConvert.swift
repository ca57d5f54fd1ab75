import ArgumentParser
import EStargz
import Foundation
import JSONDocument
import OCI

struct ImageConvert: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert", abstract: "Convert an image so that it starts before it is downloaded.",
    discussion: """
      Every layer gets a table of contents; any registry, runtime and tool goes on to read it as a plain layer. The same \
      archive and options give the same result, bit for bit. Files that the program needs at its start can go first: \
      name them in a file, one path a line, in the order in which they are read.

      EXAMPLES
        nagaya image convert web.tar web-lazy.tar
        nagaya image convert web.tar web-lazy.tar --format zstd:chunked --prioritize start.list
      """)

  @Argument(help: "An OCI archive.", completion: .file(extensions: ["tar"])) var file: String

  @Argument(help: "The new archive. Default: the old one's name with -FORMAT.", completion: .file(extensions: ["tar"]))
  var target: String?

  @Option(help: "estargz or zstd:chunked.") var format = LayerFormat.estargz

  @Option(
    help: ArgumentHelp("A list of paths that go first and are fetched at once, one a line.", valueName: "file"),
    completion: .file())
  var prioritize: String?

  @Option(help: "Compression, 1 (fast) to 9 (estargz) or 19 (zstd:chunked). Default: 6 and 3.") var level: Int32?

  @Option(help: ArgumentHelp("Large files are cut into pieces of so many KiB.", valueName: "KiB")) var chunkSize = 4096

  @Option(help: "Tasks that compress at once. Default: one for each processor.") var jobs: Int?

  @Option(name: [.short, .long], help: "table or json.") var output = ImageOutput.table

  func validate() throws {
    guard level.map({ (1...(format == .estargz ? 9 : 19)).contains($0) }) ?? true else {
      throw ValidationError("--level is 1 to \(format == .estargz ? 9 : 19) for \(format.rawValue)")
    }
    guard (4...65_536).contains(chunkSize) else { throw ValidationError("--chunk-size is 4 to 65536 KiB") }
    guard jobs.map({ (1...256).contains($0) }) ?? true else { throw ValidationError("--jobs is 1 to 256") }
  }

  func run() async throws {
    let stem = file.hasSuffix(".tar") ? String(file.dropLast(4)) : file
    let target = target ?? "\(stem)-\(format == .estargz ? "estargz" : "zstdchunked").tar"
    let conversion = LayerConversion(
      to: format, level: level, chunkBytes: Int64(chunkSize) << 10, prioritized: try prioritized(),
      parallelism: jobs ?? ProcessInfo.processInfo.activeProcessorCount)
    let archive = try ImageFile.open(file)
    let progress = ProgressLine()
    defer { progress.clear() }
    do {
      let scratch = try ScratchDirectory(in: URL(fileURLWithPath: target).deletingLastPathComponent().path)
      let converter = ArchiveConverter(archive: archive, conversion: conversion, scratch: scratch, progress: progress)
      let result = try await converter.convert()
      try ReplacingFile.write(target) { try result.write(to: $0) }
      progress.clear()
      report(result, target)
    } catch let error as FileError {
      throw CommandFailure("\(error)", remedy: "nothing was written to \(target)")
    } catch let error as ArchiveConverter.Failure {
      throw CommandFailure("\(file) was not converted: \(error)", remedy: "nothing was written to \(target)")
    }
  }

  private func prioritized() throws -> [[UInt8]] {
    guard let prioritize else { return [] }
    let text: String
    do { text = try String(contentsOfFile: prioritize, encoding: .utf8) } catch {
      throw CommandFailure("cannot read \(prioritize)", remedy: "give a file with one path a line")
    }
    return try text.split(whereSeparator: \.isNewline).map { line in
      // Absolute paths are those of the container.
      do { return try LayerPath.plain(Array(line.utf8.drop { $0 == UInt8(ascii: "/") })) } catch {
        throw CommandFailure("\(prioritize): \(line): \(error)", remedy: "name paths of the image, one a line")
      }
    }
  }

  private func report(_ result: ArchiveConverter.Result, _ target: String) {
    switch output {
    case .json:
      let json: JSONValue = [
        "file": .string(target), "format": .string(format.rawValue),
        "images": .array(result.images.map { .string($0.description) }),
        "layers": .array(
          result.layers.map {
            [
              "from": .string($0.old.digest.description), "to": .string($0.new.digest.description),
              "sizeBefore": .integer($0.old.size), "size": .integer($0.new.size),
              "prioritized": JSONValue($0.prioritized),
            ]
          }),
      ]
      Console.current.write(String(decoding: json.encodedForReading(), as: UTF8.self))
    case .table:
      let (before, after) = result.layers.reduce((Int64(0), Int64(0))) { ($0.0 + $1.old.size, $0.1 + $1.new.size) }
      Console.print(
        "\(target): \(result.layers.count) \(result.layers.count == 1 ? "layer" : "layers"), \(ByteCount.text(before)) before, \(ByteCount.text(after)) as \(format.rawValue)"
      )
      let passed = result.layers.count { $0.old.digest == $0.new.digest }
      if passed > 0 {
        Console.print("\(passed) of them as before: what they show depends on the order of members of one name")
      }
      for digest in result.images { Console.print("\(digest)") }
    }
  }
}

extension LayerFormat: ExpressibleByArgument {}
