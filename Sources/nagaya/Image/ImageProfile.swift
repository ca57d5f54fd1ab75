import ArgumentParser
import JSONDocument
import KubernetesAPI
import LazyImages
import Logging
import OCI
import RegistryClient

/// `nagaya image profile`: what a start of an image reads.
struct ImageProfile: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "profile",
    abstract: "Share what a start of an image reads, so that its first start elsewhere is fast, too.",
    subcommands: [ImageProfilePush.self])
}

struct ImageProfilePush: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "push",
    abstract: "Put what this machine learned of an image's start beside the image in its registry.",
    discussion: """
      A machine learns what an image reads when a container of it starts: run one first. What is pushed is a list of places in \
      layers, a few kilobytes, as a referrer of the image (OCI 1.1); the image itself stays as it is. Machines that start the \
      image for the first time fetch those places first. Credentials are those of `docker login`.

      EXAMPLES
        nagaya image profile push registry.local/team/web:1
        nagaya image profile push registry.local/team/web:1 -o json
      """)

  @Argument(help: "The image: REGISTRY/NAME:TAG.") var image: String
  @OptionGroup var directories: ImagesDirectories
  @Option(help: "Docker's configuration, for credentials.", completion: .file())
  var dockerConfig = "/root/.docker/config.json"
  @Option(help: "containerd's directory of hosts.toml files.", completion: .directory)
  var hostsDirectory = "/etc/containerd/certs.d"
  @Option(name: [.short, .long], help: "table, json or yaml.") var output = ReportFormat.table

  func run() async throws {
    let reference = try ImageReference(image)
    let registry = RegistryConfiguration(
      hostsDirectory: hostsDirectory, credentials: [DockerConfigCredentials(path: dockerConfig)])
    let report: ProfileSharing.Report
    do {
      report = try await ProfileSharing.push(
        reference, root: directories.root, registry, created: "\(Timestamp.now)", logger: Logger(label: "nagaya.image"))
    } catch let error as ProfileSharing.NotLearned {
      throw CommandFailure(
        "nothing is known here of how \(image) (\(error.manifest)) starts",
        remedy: "start a container of it on this machine, wait some seconds, and push again; or name another --root")
    }
    try output.show(
      [
        "image": .string(image), "manifest": .string("\(report.manifest)"), "referrer": .string("\(report.referrer)"),
        "layers": .integer(Int64(report.layers)), "ranges": .integer(Int64(report.ranges)),
        "bytes": .integer(report.bytes),
      ]
    ) {
      [
        ["IMAGE", "LAYERS", "PLACES", "SIZE", "REFERRER"],
        [image, "\(report.layers)", "\(report.ranges)", ByteCount.text(report.bytes), "\(report.referrer)"],
      ]
    }
  }
}
