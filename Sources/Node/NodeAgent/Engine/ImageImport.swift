import CRI
import LinuxSystem
import Subprocess

/// Loads image archives into containerd, for machines without a registry.
public struct ImageImport: Sendable {
  private let layout: ContainerdLayout
  private let snapshotter: String

  /// - Parameter snapshotter: unpacks what is loaded.
  public init(layout: ContainerdLayout, snapshotter: String = SnapshotterPlugin.overlayfs.name) {
    self.layout = layout
    self.snapshotter = snapshotter
  }

  /// Loads an OCI or docker archive into the namespace of the CRI and unpacks it.
  /// - Parameter archive: a tar file.
  /// - Returns: the names of the images in it, as `image:` of a container names them.
  /// - Throws: `EngineError.commandFailed`; containerd has to run.
  @discardableResult
  public func load(archive: String) async throws -> [String] {
    guard SmallFile.isExecutable(layout.program("ctr")) else {
      throw EngineError.programMissing(name: "ctr", directory: layout.programs)
    }
    let before = try await names()
    try await ctr(["images", "import", "--snapshotter", snapshotter, archive])
    let after = try await names()
    return after.filter { before[$0.key] != $0.value }.keys.sorted()
  }

  /// Names (digest references left out) with their digests.
  private func names() async throws -> [String: String] {
    let table = try await ctr(["images", "list"])
    var names: [String: String] = [:]
    for line in table.split(separator: "\n").dropFirst() {
      let columns = line.split(separator: " ", omittingEmptySubsequences: true)
      guard columns.count > 2, !columns[0].hasPrefix("sha256:") else { continue }
      names[String(columns[0])] = String(columns[2])
    }
    return names
  }

  @discardableResult
  private func ctr(_ arguments: [String]) async throws -> String {
    let result = try await Subprocess.run(
      .path(.init(layout.program("ctr"))),
      arguments: Arguments(["--address", layout.socket, "--namespace", "k8s.io"] + arguments),
      environment: .custom(["PATH": layout.searchPath, "HOME": "/root"]),
      output: .string(limit: 4 << 20), error: .string(limit: 1 << 20))
    guard case .exited(0) = result.terminationStatus else {
      throw EngineError.commandFailed(
        command: "ctr \(arguments.joined(separator: " "))", exit: "\(result.terminationStatus)",
        output: result.standardError)
    }
    return result.standardOutput
  }
}
