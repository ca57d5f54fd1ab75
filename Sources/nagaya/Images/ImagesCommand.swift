import ArgumentParser
import BoundedNumbers
import Foundation
import JSONDocument

/// `nagaya images`: what is lazy on this machine, and what is done there.
struct Images: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show how the images on this machine came, and how much of them is here.",
    // A name that is no subcommand is an image's.
    subcommands: [ImagesList.self, ImagesDoctor.self], defaultSubcommand: ImagesList.self)
}

/// `nagaya images [IMAGE]`: what is lazy, and why the rest is not.
struct ImagesList: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Show how the images on this machine came, and how much of them is here.",
    discussion: """
      MODE tells how a layer gets here: lazy (it has a table of contents), indexed (a plain layer that was read once \
      before), streamed (a plain layer's first time), unpacked (left to containerd). STALLS counts reads that had to wait.

      EXAMPLES
        nagaya images
        nagaya images registry.example.com/shop/web:1.4
        nagaya images -o json
        nagaya images doctor
      """)

  @Argument(help: "Show the layers of this image; without it, all images.") var image: String?
  @OptionGroup var directories: ImagesDirectories
  @Option(name: [.short, .long], help: "table, json or yaml.") var output = ReportFormat.table

  func run() async throws {
    let report = try await ImagesSocket(directories).report()
    let images = report["images"].elements
    if let image {
      guard let found = images.first(where: { $0["image"].string == image }) else {
        throw CommandFailure(
          "image \(image) was not asked for on this machine", remedy: "`nagaya images` lists those that were")
      }
      try output.show(found) { ImageRows.layers(of: found) }
      if output == .table { Self.tell(lostIn: [found]) }
      return
    }
    try output.show(report) { images.isEmpty ? nil : ImageRows.images(images) }
    guard output == .table else { return }
    if images.isEmpty { Console.print("No image was pulled through the snapshotter yet.") }
    if report["fill"]["path"].string == "fuse" {
      Console.print("Incomplete layers are read through FUSE: \(report["fill"]["why"].string ?? "").")
    } else if report["fill"]["heldOutside"].bool != true {
      Console.print("If all processes of the snapshotter are killed at once, containers read zeros: use --fill auto.")
    }
    Self.tell(lostIn: images + [["layers": report["otherLayers"]]])
  }

  /// Names the containers that cannot go on as they are.
  private static func tell(lostIn images: [JSONValue]) {
    let layers = images.flatMap { $0["layers"].elements }
    for (why, words) in [
      ("aborted", "their reads fail, as all processes of the snapshotter were gone for a while"),
      ("stale", "they may have read zeros, as all processes of the snapshotter were gone for a while"),
    ] {
      let lost = layers.filter { $0["lostMounts"].elements.contains { $0["why"].string == why } }
      guard !lost.isEmpty else { continue }
      let names = Set(lost.flatMap { $0["lostContainers"].elements.compactMap(\.string) }).sorted()
      Console.print("Start anew: \(names.isEmpty ? "unknown containers" : names.joined(separator: ", ")); \(words).")
    }
  }
}

/// Tables of images and layers.
enum ImageRows {
  static func images(_ images: [JSONValue]) -> [[String]] {
    [["IMAGE", "LAYERS", "LAZY", "PRESENT", "SIZE", "STALLS", "WHY NOT LAZY"]]
      + images.map { image in
        let layers = image["layers"].elements
        let lazy = layers.count { ["lazy", "indexed"].contains($0["mode"].string) }
        let why = layers.first { !["lazy", "indexed"].contains($0["mode"].string) }?["reason"].string ?? ""
        return [
          image["image"].string ?? "", "\(layers.count)", "\(lazy)", percent(layers),
          ByteCount.text(Int64(sum(layers, "deviceBytes"))), "\(sum(layers, "stalls"))", why,
        ]
      }
  }

  static func layers(of image: JSONValue) -> [[String]] {
    [["LAYER", "MODE", "STATE", "PRESENT", "SIZE", "COMPRESSED", "FETCHES", "STALLS", "REASON"]]
      + image["layers"].elements.map { layer in
        let fetches = layer["fetches"].members.values.reduce(0) { $0.clampedAdding($1.int ?? 0) }
        return [
          String((layer["digest"].string ?? "").prefix(19)), layer["mode"].string ?? "-", layer["state"].string ?? "-",
          percent([layer]), ByteCount.text(Int64(sum([layer], "deviceBytes"))),
          ByteCount.text(Int64(sum([layer], "blobBytes"))), "\(fetches)", "\(sum([layer], "stalls"))",
          layer["reason"].string ?? "",
        ]
      }
  }

  private static func sum(_ layers: [JSONValue], _ key: String) -> Int {
    layers.reduce(0) { $0 + Int($1[key].int ?? 0) }
  }

  private static func percent(_ layers: [JSONValue]) -> String {
    let device = sum(layers, "deviceBytes")
    return device > 0 ? "\(sum(layers, "presentBytes") * 100 / device) %" : "-"
  }
}
