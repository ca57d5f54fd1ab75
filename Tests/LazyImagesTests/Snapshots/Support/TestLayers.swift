import EROFS
import Foundation
import LayerStore
import LinuxSystem
import Locking
import OCI
import PlatformHarness

@testable import LazyImages

/// Layers that are there at once: tar archives, each mounted by the kernel below an EROFS image that we wrote.
final class TestLayers: RemoteLayers, Sendable {
  struct Refused: Error {}

  struct Log: Sendable {
    var requests: [LayerRequest] = []
    var mounts: [LayerKey] = []
    var releases: [LayerKey] = []
    /// Calls of `resolve` for one layer at the same time, at most.
    var resolvingNow: [LayerKey: Int] = [:]
    var mostAtOnce = 0
  }

  let directory: String
  private let archives: Mutex<[LayerKey: String]> = .init([:])
  private let history: Mutex<Log> = .init(Log())
  /// Is waited for in `resolve`.
  private let gate: @Sendable (LayerKey) async throws -> Void

  var log: Log { history.withLock { $0 } }

  init(_ directory: String, gate: @escaping @Sendable (LayerKey) async throws -> Void = { _ in }) {
    self.directory = directory
    self.gate = gate
  }

  /// Packs what a script makes in a directory.
  /// - Returns: the digest under which the layer is asked for.
  func add(_ script: String) async throws -> Digest {
    let work = "\(directory)/l\(UInt32.random(in: 0 ... .max))"
    try await Shell().succeed(
      """
      mkdir -p \(work)/tree && cd \(work)/tree && umask 022 && \(script)
      tar --format=posix --xattrs --xattrs-include='*' --numeric-owner -cf ../layer.tar .
      """)
    return try await add(archive: "\(work)/layer.tar")
  }

  /// Takes a tar archive.
  /// - Returns: its digest.
  @discardableResult
  func add(archive: String) async throws -> Digest {
    let work = "\(directory)/l\(UInt32.random(in: 0 ... .max))"
    try await Shell().succeed("mkdir \(work) && cp \(archive) \(work)/layer.tar")
    let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: "\(work)/layer.tar")))
    let digest = Digest(of: bytes)
    var reader = TarLayerReader()
    try reader.consume(bytes[...])
    var options = EROFSOptions(blockSize: .tar, deviceBytes: [Int64(bytes.count)])
    // overlayfs tells its lower file systems apart by them.
    options.uuid = Array(digest.hex.utf8.prefix(16))
    let writer = try EROFSWriter(try reader.finish(), options: options)
    var image: [UInt8] = []
    try writer.write(to: &image)
    try Data(image).write(to: URL(fileURLWithPath: "\(work)/image"))
    archives.withLock { $0[LayerKey(digest)] = work }
    return digest
  }

  func resolve(_ request: LayerRequest) async throws -> LayerKey? {
    let key = LayerKey(request.layer)
    history.withLock {
      $0.requests.append(request)
      $0.resolvingNow[key, default: 0] += 1
      $0.mostAtOnce = max($0.mostAtOnce, $0.resolvingNow[key] ?? 0)
    }
    defer { history.withLock { $0.resolvingNow[key, default: 0] -= 1 } }
    try await gate(key)
    return archives.withLock { $0[key] != nil } ? key : nil
  }

  func mount(_ key: LayerKey) async throws -> String {
    guard let work = archives.withLock({ $0[key] }) else { throw Refused() }
    let target = "\(work)/mounted"
    try Directory.make(target)
    try history.withLock {
      $0.mounts.append(key)
      guard try Mounts.table().top(at: target) == nil else { return }
      try Mounts.mount(
        "\(work)/image", at: target, type: "erofs", options: ["ro", "device=\(work)/layer.tar"])
    }
    return target
  }

  func release(_ key: LayerKey) async throws {
    history.withLock { $0.releases.append(key) }
    if let work = archives.withLock({ $0[key] }) { try Mounts.unmount("\(work)/mounted") }
  }

  func usage(of key: LayerKey) async throws -> LayerUsage { LayerUsage(bytes: 4096, inodes: 7) }

  /// They are not compressed.
  func prove(_ key: LayerKey) async throws -> LayerIdentity { LayerIdentity(diffID: key.blob, showsArchive: true) }

  /// What containerd puts on a snapshot for a layer.
  static func labels(_ digest: Digest, chainID: String) -> [String: String] {
    [
      "containerd.io/snapshot.ref": chainID, "containerd.io/snapshot/cri.image-ref": "registry.test/some/image:1",
      "containerd.io/snapshot/cri.layer-digest": digest.description,
      "containerd.io/snapshot/cri.image-layers": digest.description,
    ]
  }

  func isMounted(_ digest: Digest) throws -> Bool {
    let work = archives.withLock { $0[LayerKey(digest)] } ?? ""
    return try Mounts.table().top(at: "\(work)/mounted") != nil
  }
}
