import CRI
import ContainerdAPI
import Foundation
import GRPCCore
import JSONDocument
import KubernetesAPI
import LinuxSystem

/// Volumes that show the files of an image, to read only: models, data, pages (core/v1 `ImageVolumeSource`, KEP-4639).
///
/// containerd's snapshotter gives a view of the image's layers, which is mounted in the pod's directory. So a snapshotter that
/// fetches lazily does so here, too, and all that use a layer share its pages. A record beside the mount,
/// `pods/<uid>/volumes/image/<name>.json`, is written before the view is made and goes after it.
struct ImageVolumes: Sendable {
  /// Gets an image as a pod may have it.
  /// - Returns: its id.
  /// - Throws: `PodProblem`
  typealias Getter = @Sendable (_ reference: String, _ policy: String?) async throws -> String

  let runtime: RuntimeClient
  /// Of new volumes; those that are there have theirs in their record.
  let snapshotter: String

  private typealias Snapshots = Containerd_Services_Snapshots_V1_Snapshots

  static func isImage(_ volume: JSONValue) -> Bool { !volume["image"].isNull }

  /// Where a view is found again.
  private struct Record {
    var snapshotter: String
    var key: String

    init(snapshotter: String, key: String) { (self.snapshotter, self.key) = (snapshotter, key) }

    /// - Returns: `nil` if there is none, or it is damaged.
    init?(at path: String) {
      guard let bytes = try? SmallFile.read(path), let json = try? JSONValue(parsing: bytes),
        let snapshotter = json["snapshotter"].string, let key = json["key"].string
      else { return nil }
      self.init(snapshotter: snapshotter, key: key)
    }

    var json: JSONValue { ["snapshotter": .string(snapshotter), "key": .string(key)] }
  }

  /// Mounts an image's files at `<place>/mount`, read-only; to repeat it after a failure goes on.
  /// - Parameters:
  ///   - image: its id.
  ///   - place: `pods/<uid>/volumes/image/<name>`.
  func show(_ image: String, at place: String) async throws {
    let chain = try await chain(of: image)
    let record = Record(snapshotter: snapshotter, key: Self.key(place))
    try Directory.make("\(place)/mount", permissions: 0o755)
    try DurableFile.write(record.json.encoded(), to: "\(place).json", permissions: 0o644)
    for mount in try await view(record, of: chain) { try Self.mount(mount, at: "\(place)/mount") }
  }

  /// Takes away what `show` has made, however far it came.
  func takeBack(_ place: String) async throws {
    try Mounts.unmountAll("\(place)/mount")
    if FileStatus.exists("\(place).json") {
      // A damaged record costs the view only if the snapshotter was another one.
      try await remove(Record(at: "\(place).json") ?? Record(snapshotter: snapshotter, key: Self.key(place)))
    }
    try Directory.removeIfEmpty("\(place)/mount")
    try Directory.removeIfEmpty(place)
    try Directory.removeFile("\(place).json")
  }

  /// The name of a volume's view, unique on the node.
  private static func key(_ place: String) -> String {
    let words = place.split(separator: "/")
    return "nagaya-volume/\(words.dropLast(3).last ?? "")/\(words.last ?? "")"
  }

  // MARK: containerd

  /// The namespace of CRI's containers.
  private var metadata: Metadata { ["containerd-namespace": "k8s.io"] }

  /// The name by which snapshotters know all layers of an image together.
  private func chain(of image: String) async throws -> String {
    let answer = try await runtime.images.imageStatus(
      .with {
        $0.image.image = image
        $0.verbose = true
      }, options: RuntimeClient.within(.seconds(30)))
    let information = answer.info["info"].flatMap { try? JSONValue(parsing: Array($0.utf8)) }
    guard let chain = information?["chainID"].string, !chain.isEmpty else {
      throw PodProblem(
        "ContainerCreating", "the runtime does not tell the image's layers: image volumes need containerd 2")
    }
    return chain
  }

  private func view(_ record: Record, of chain: String) async throws -> [Containerd_Types_Mount] {
    let options = RuntimeClient.within(.seconds(240))
    let client = runtime.snapshots
    do { return try await makeView(record, of: chain) } catch let error as RPCError where error.code == .alreadyExists {
      let existing = try await client.stat(
        .with {
          $0.snapshotter = record.snapshotter
          $0.key = record.key
        }, metadata: metadata, options: options)
      guard existing.info.parent == chain else {
        // The image's name means another one by now, and nothing is mounted.
        try await remove(record)
        return try await makeView(record, of: chain)
      }
      return try await client.mounts(
        .with {
          $0.snapshotter = record.snapshotter
          $0.key = record.key
        }, metadata: metadata, options: options
      ).mounts
    }
  }

  private func makeView(_ record: Record, of chain: String) async throws -> [Containerd_Types_Mount] {
    try await runtime.snapshots.view(
      .with {
        $0.snapshotter = record.snapshotter
        $0.key = record.key
        $0.parent = chain
        // Nothing of containerd's own refers to it.
        $0.labels = ["containerd.io/gc.root": "\(Timestamp.now)"]
      }, metadata: metadata, options: RuntimeClient.within(.seconds(240))
    ).mounts
  }

  private func remove(_ record: Record) async throws {
    do {
      _ = try await runtime.snapshots.remove(
        .with {
          $0.snapshotter = record.snapshotter
          $0.key = record.key
        }, metadata: metadata, options: RuntimeClient.within(.seconds(60)))
    } catch let error as RPCError where error.code == .notFound {}
  }

  // MARK: Mounting

  /// A mount as snapshotters describe it, but for data.
  private static func mount(_ mount: Containerd_Types_Mount, at target: String) throws {
    if mount.type == "bind" || mount.options.contains(where: { ["bind", "rbind"].contains($0) }) {
      return try DataMount.bind(mount.source, at: target)
    }
    try DataMount.mount(mount.source, at: target, type: mount.type, options: mount.options)
  }
}
