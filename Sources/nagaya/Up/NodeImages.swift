import Foundation
import NodeAgent

/// Puts the images that an instance cannot do without into its containerd, once per version of their archives.
struct NodeImages: Sendable {
  let engine: ContainerdEngine
  let directory: String
  let stateDirectory: String

  func load() async throws {
    try await engine.start()
    for name in ["pause", "hello"] {
      let archive = "\(directory)/\(name).tar"
      let mark = "\(stateDirectory)/containerd/.loaded-\(name)-\(engine.snapshotter.name)"
      let version = try Self.version(of: archive)
      if (try? String(contentsOfFile: mark, encoding: .utf8)) == version { continue }
      try await ImageImport(layout: engine.layout, snapshotter: engine.snapshotter.name).load(archive: archive)
      try Data(version.utf8).write(to: URL(fileURLWithPath: mark), options: .atomic)
    }
  }

  private static func version(of archive: String) throws -> String {
    guard let attributes = try? FileManager.default.attributesOfItem(atPath: archive) else {
      throw CommandFailure("\(archive) is missing", remedy: "run `make build`, or name its directory with --images")
    }
    let changed = (attributes[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
    return "\(attributes[.size] ?? 0) \(changed)"
  }
}
