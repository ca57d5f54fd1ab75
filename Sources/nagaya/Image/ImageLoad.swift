import ArgumentParser
import Foundation
import NodeAgent
import OCI

struct ImageLoad: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "load", abstract: "Load an image archive into this node's containerd.",
    discussion: """
      The archive is checked from end to end first. Pods on this node can use the image at once; no registry is asked.

      EXAMPLES
        nagaya image load web.tar
      """)

  @Argument(help: "An OCI archive (nagaya image pack, skopeo copy … oci-archive:FILE).", completion: .file())
  var file: String

  @OptionGroup var directories: DirectoryOptions

  @Option(help: "Directory with ctr in bin/. Default: what the running Nagaya uses.") var engines: String?

  func run() async throws {
    guard FileManager.default.fileExists(atPath: file) else {
      throw CommandFailure("there is no file \(file)", remedy: "check its path; nagaya image pack makes one")
    }
    let images: [ArchivedImage]
    do { images = try ImageArchiveReader.check(OpenFile(file, O_RDONLY)) } catch {
      throw CommandFailure(
        "\(file) was not loaded: \(error)", remedy: "pack it anew, with nagaya image pack for instance")
    }
    guard images.allSatisfy({ $0.name != nil }) else {
      throw CommandFailure(
        "\(file) holds an image without a name", remedy: "pack it with a name: nagaya image pack --name …")
    }
    for image in images {
      if let platform = image.platform, platform != .current {
        throw CommandFailure(
          "\(image.name ?? file) is for \(platform), this machine is \(OCI.Platform.current)",
          remedy: "pack the image for this machine")
      }
    }
    let instance = Instance(reading: directories.layout)?.engines ?? ""
    let layout = ContainerdLayout(
      stateDirectory: directories.stateDir, runDirectory: directories.runDir,
      enginesDirectory: try Installation.engines(engines ?? (instance.isEmpty ? nil : instance)))
    guard FileManager.default.fileExists(atPath: layout.socket) else {
      throw CommandFailure(
        "no containerd answers at \(layout.socket)", remedy: "start Nagaya first: nagaya up --detach")
    }
    do {
      try await ImageImport(layout: layout).load(archive: URL(fileURLWithPath: file).standardizedFileURL.path)
    } catch {
      throw CommandFailure(
        "\(file) was not loaded: \(error)", remedy: "run it as root, on the machine where nagaya up runs")
    }
    for image in images { Console.print("\(image.name ?? ""): loaded, \(ByteCount.text(image.size)), \(image.digest)") }
  }
}
