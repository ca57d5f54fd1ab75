import ArgumentParser
import JSONDocument

/// `nagaya image gc`: makes room.
struct ImageCollect: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gc", abstract: "Remove content of layers that nothing uses, the longest unused first.",
    discussion: """
      Layers of containers and of images that containerd still has mounted are not touched. Indexes stay, so that the \
      next container of an image starts lazily.

      EXAMPLES
        nagaya image gc
        nagaya image gc --keep 20Gi
      """)

  @OptionGroup var directories: ImagesDirectories
  @Option(help: "How much may stay.") var keep = "0"
  @Option(name: [.short, .long], help: "table, json or yaml.") var output = ReportFormat.table

  func run() async throws {
    let result = try await ImagesSocket(directories).collect(keepBytes: try Sizes.bytes(keep, option: "--keep"))
    try output.show(result) {
      [
        ["LAYERS", "FREED", "KEPT"],
        [
          "\(result["layers"].int ?? 0)", ByteCount.text(Int64(result["freedBytes"].int ?? 0)),
          ByteCount.text(Int64(result["keptBytes"].int ?? 0)),
        ],
      ]
    }
  }
}
