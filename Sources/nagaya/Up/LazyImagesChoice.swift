import LayerStore
import LazyImages
import Logging
import NodeAgent
import ServiceLifecycle

/// The snapshotter of an instance: ours if the machine can do it and nothing else is asked for.
struct LazyImagesChoice {
  let plugin: SnapshotterPlugin
  /// Empty with containerd's own snapshotter.
  let services: [any Service]
  /// Why images are unpacked first though nobody asked for it; `nil` otherwise.
  let refusal: String?
  /// Where images are pulled; `nil`: from containerd itself.
  let imageSocket: String?
  /// Asked before a container is made of an image; `nil`: containerd itself compares what it unpacks.
  var imageGate: (@Sendable (String, String) async throws -> Void)? {
    guard let images else { return nil }
    return { reference, id in try await images.admit(reference, id: id) }
  }
  private let images: LazyImages?

  /// - Parameter containerd: the socket of the containerd that uses it.
  init(_ choice: SnapshotterChoice, layout: Layout, containerd: String, logger: Logger) async throws {
    guard choice != .overlayfs else {
      self.init(plugin: .overlayfs)
      return
    }
    var configuration = LazyImagesConfiguration(
      root: layout.images, run: layout.imagesRun, hostsDirectory: "\(layout.containerdState)/certs.d",
      keeper: [Installation.executable])
    configuration.containerdSocket = containerd
    do {
      let images = try await LazyImages(configuration, logger: logger)
      self.init(
        plugin: SnapshotterPlugin(name: ImagesPlugin.name, tables: ImagesPlugin(configuration).pluginTables),
        imageSocket: configuration.imageServiceSocket, images: images)
    } catch let error as LayerStoreError {
      guard case .unsupported = error, choice == .auto else {
        throw CommandFailure("\(error)", remedy: "start with --snapshotter overlayfs")
      }
      logger.notice("images are unpacked before containers start", metadata: ["reason": "\(error)"])
      self.init(plugin: .overlayfs, refusal: "\(error)")
    }
  }

  private init(plugin: SnapshotterPlugin, imageSocket: String? = nil, images: LazyImages? = nil, refusal: String? = nil)
  {
    self.plugin = plugin
    self.imageSocket = imageSocket
    self.images = images
    self.refusal = refusal
    services = images?.services ?? []
  }

  /// For people who look at the start, or at `nagaya status`.
  var summary: String {
    if let refusal { return "unpacked before containers start: \(refusal)" }
    guard let images else { return "unpacked before containers start" }
    let summary = "lazy: containers start before their image is here"
    return images.fill.path == .fanotify ? summary : "\(summary) (through FUSE: \(images.fill.why))"
  }

  /// Unmounts layers and ends the processes that guard them, after containerd has ended.
  func takeDown() async { await images?.takeDown() }
}
