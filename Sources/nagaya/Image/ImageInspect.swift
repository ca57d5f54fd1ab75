import ArgumentParser
import EStargz
import JSONDocument
import OCI

struct ImageInspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Show what an image archive holds, and whether its layers can start lazily.",
    discussion: """
      Layers with a table of contents (eStargz, zstd:chunked) start before they are downloaded, from the first pull on. \
      Plain layers become lazy on a node when it has read them once.

      EXAMPLES
        nagaya image inspect web.tar
        nagaya image inspect web.tar -o json
      """)

  @Argument(help: "An OCI archive.", completion: .file(extensions: ["tar"])) var file: String

  @Option(name: [.short, .long], help: "table or json.") var output = ImageOutput.table

  func run() throws {
    let archive = try ImageFile.open(file)
    do {
      let images = try ImageFile.manifests(of: archive).map { ($0, try LayerReport.all(of: $0, in: archive)) }
      switch output {
      case .json:
        let json = JSONValue.array(images.map { Self.json($0, layers: $1) })
        Console.current.write(String(decoding: json.encodedForReading(), as: UTF8.self))
      case .table:
        for (number, (image, layers)) in images.enumerated() {
          if number > 0 { Console.print() }
          Console.print("Name:      \(TableText.plain(image.name ?? "(none)"))")
          Console.print("Digest:    \(image.descriptor.digest)")
          if let platform = image.descriptor.platform { Console.print("Platform:  \(platform)") }
          Console.print("Layers:")
          let rows = layers.enumerated().map { ["\($0.offset + 1)"] + $0.element.cells }
          Console.current.write(
            TableText.text([["#", "FORMAT", "SIZE", "FILES", "PREFETCH", "LAZY", "DIGEST"]] + rows))
        }
      }
    } catch let error as ImageArchiveError {
      throw CommandFailure("\(file): \(error)", remedy: "pack or save it anew")
    }
  }

  private static func json(_ image: ImageFile.Manifest, layers: [LayerReport]) -> JSONValue {
    var json: JSONValue = [
      "digest": .string(image.descriptor.digest.description), "layers": .array(layers.map(\.json)),
    ]
    json.set("name", ifPresent: image.name.map { .string($0) })
    json.set("platform", ifPresent: image.descriptor.platform?.json)
    return json
  }
}

/// How a command about images prints its result.
enum ImageOutput: String, ExpressibleByArgument, CaseIterable {
  case table, json
}

/// What is known of a layer without unpacking it.
struct LayerReport {
  let descriptor: Descriptor
  let format: String
  /// With a table of contents that proves to be right.
  let lazy: LazyLayer?
  /// Why the layer is not lazy; empty if it is.
  let reason: String

  static func all(of image: ImageFile.Manifest, in archive: ImageArchive<RandomAccessFile>) throws -> [LayerReport] {
    try image.manifest.layers.map { descriptor in
      guard let range = archive.range(of: descriptor) else {
        throw ImageArchiveError(description: "\(descriptor.digest) is missing from the archive or has another size")
      }
      return try report(on: descriptor, FileSlice(base: archive.bytes, range: range))
    }
  }

  private static func report(on descriptor: Descriptor, _ blob: FileSlice) throws -> LayerReport {
    func report(_ format: String, _ lazy: LazyLayer? = nil, _ reason: String = "") -> LayerReport {
      LayerReport(descriptor: descriptor, format: format, lazy: lazy, reason: reason)
    }
    guard MediaType.isLayer(descriptor.mediaType) else { return report("other", nil, "not a layer of files") }
    let compression = LayerCompression(firstBytes: try blob.read(0..<min(blob.size, 4))).description
    do {
      let footer = max(0, blob.size - TOCLocation.footerBytes)..<blob.size
      let location = try TOCLocation(descriptor) ?? TOCLocation(footer: blob.read(footer), of: descriptor)
      let format = location.format.rawValue
      guard let table = location.range else { return report(format, nil, "its table of contents is in another image") }
      guard location.isVerifiable else {
        return report(format, nil, "the manifest does not name its table of contents")
      }
      let lazy = try LazyLayer(toc: try blob.read(table), at: location, contentEnd: descriptor.size)
      return report(format, lazy, lazy.chunks.isVerifiable ? "" : "its content cannot be verified piece by piece")
    } catch let error as LayerTOCError {
      return report(compression, nil, error.reason == .noFooter ? "no table of contents" : "\(error)")
    } catch let error as LayerError {
      return report(compression, nil, "\(error)")
    }
  }

  var isLazy: Bool { reason.isEmpty }

  var cells: [String] {
    [
      format, ByteCount.text(descriptor.size), lazy.map { String($0.tree.nodes.count - 1) } ?? "-",
      lazy?.prefetch.map { ByteCount.text(Int64($0.count)) } ?? "-", isLazy ? "yes" : "no: \(reason)",
      String(descriptor.digest.description.prefix(19)),
    ]
  }

  var json: JSONValue {
    var json: JSONValue = [
      "digest": .string(descriptor.digest.description), "mediaType": .string(descriptor.mediaType),
      "size": .integer(descriptor.size), "format": .string(format), "lazy": .bool(isLazy),
    ]
    if !isLazy { json["reason"] = .string(reason) }
    if let lazy {
      json["files"] = JSONValue(lazy.tree.nodes.count - 1)
      json["chunks"] = JSONValue(lazy.chunks.chunks.count)
      json["deviceBytes"] = .integer(lazy.deviceBytes)
      json.set("prefetchBytes", ifPresent: lazy.prefetch.map { JSONValue($0.count) })
    }
    return json
  }
}
