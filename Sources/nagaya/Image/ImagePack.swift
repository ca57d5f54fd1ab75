import ArgumentParser
import Foundation
import OCI

struct ImagePack: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pack", abstract: "Pack a directory as an image, in an OCI archive.",
    discussion: """
      The directory becomes the image's root. The same directory gives the same archive, bit for bit: names are in order \
      and times are 0 unless --keep-times is given.

      EXAMPLES
        nagaya image pack ./web --name team.local/web:1 --cmd /web --port 8080
        nagaya image pack ./rootfs --name team.local/py:3 --cmd /usr/bin/python3 --cmd -m --cmd http.server
      """)

  @Argument(help: "The directory that becomes the image's root.", completion: .directory) var directory: String

  @Option(help: ArgumentHelp("The image's name.", valueName: "registry/repository:tag")) var name: ImageReference

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp("A word of the command that runs by default; repeat it for each word.", valueName: "word"))
  var cmd: [String] = []

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp("A word of the entrypoint, in front of the command; may be repeated.", valueName: "word"))
  var entrypoint: [String] = []

  @Option(help: ArgumentHelp("A variable of the environment; may be repeated.", valueName: "NAME=value"))
  var env: [EnvironmentArgument] = []

  @Option(help: "A port that the program listens on, for information; may be repeated.") var port: [Int] = []

  @Option(help: ArgumentHelp("Where the program starts.", valueName: "path")) var workdir = "/"

  @Option(help: ArgumentHelp("Whom the program runs as: uid, uid:gid or a name of the image.", valueName: "user"))
  var user = ""

  @Option(
    help: ArgumentHelp(
      "Owner of every file; default: the owners as they are for root, 0:0 otherwise.", valueName: "uid:gid"))
  var owner: OwnerArgument?

  @Flag(help: "Keep the files' times instead of 0.") var keepTimes = false

  @Option(
    name: [.short, .long],
    help: ArgumentHelp("The archive. Default: the name's last part with .tar.", valueName: "file"),
    completion: .file(extensions: ["tar"]))
  var output: String?

  func validate() throws {
    guard port.allSatisfy({ (1...65_535).contains($0) }) else { throw ValidationError("a port is 1 to 65535") }
    guard workdir.hasPrefix("/") else { throw ValidationError("--workdir must be an absolute path") }
  }

  func run() throws {
    let path = output ?? "\(name.repository.split(separator: "/").last ?? "image").tar"
    let tree = try DirectoryTree(
      directory, owner: owner.map { ($0.uid, $0.gid) } ?? (geteuid() == 0 ? nil : (0, 0)), keepsTimes: keepTimes)
    // The default PATH is what programs expect who call others by name.
    let environment =
      env.contains { $0.name == "PATH" } ? [] : ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
    let config = ImageConfig(
      environment: environment + env.map(\.description), entrypoint: entrypoint, command: cmd,
      workingDirectory: workdir, user: user, ports: port)
    do {
      let packed = try ReplacingFile.write(path) { file in
        try ImageArchiveWriter.write(tree, as: name, config: config, spool: try TemporarySpool(), to: file)
      }
      for skipped in tree.skipped { Console.note("left out: \(skipped)") }
      Console.print(
        "\(path): \(packed.name), \(packed.entries) files, \(ByteCount.text(packed.layerBytes)) compressed, \(packed.digest)"
      )
    } catch let error as FileError {
      throw CommandFailure("\(error)", remedy: "nothing was written to \(path)")
    } catch let error as TarError {
      throw CommandFailure("cannot pack \(directory): \(error)", remedy: "nothing was written to \(path); run it again")
    }
  }
}

extension ImageReference: ExpressibleByArgument {
  public init?(argument: String) {
    guard let name = try? ImageReference(argument) else { return nil }
    self = name
  }
}

/// `UID:GID`
struct OwnerArgument: ExpressibleByArgument {
  let uid: UInt32
  let gid: UInt32

  init?(argument: String) {
    let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, let uid = UInt32(parts[0]), let gid = UInt32(parts[1]) else { return nil }
    self.uid = uid
    self.gid = gid
  }
}
