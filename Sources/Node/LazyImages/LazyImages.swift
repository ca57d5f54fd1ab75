public import LayerStore
public import LinuxSystem
public import Logging
import OCI
public import RegistryClient
public import ServiceLifecycle

/// Where the daemon keeps what it has, and how it behaves.
public struct LazyImagesConfiguration: Sendable {
  /// Snapshots, layers and records; best on ext4, xfs or btrfs.
  public var root: String
  /// Sockets and what is true until the next boot; on tmpfs.
  public var run: String
  /// The directory of `hosts.toml` files that containerd reads, if any.
  public var hostsDirectory: String?
  /// Who may pull what; asked in this order.
  public var credentials: [any CredentialSource] = []
  /// Where containerd's CRI listens, to serve its image service too: `nil` if credentials of pulls are not wanted.
  public var containerdSocket: String?
  /// Starts the processes that keep descriptors and guard layers; see `LayerStore`.
  public var keeper: [String]
  /// Content of unused layers is removed beyond this many bytes; `nil`: only on request.
  public var cacheBytes: Int64?
  /// The service manager's, if it started this process: see `LayerStore.Configuration`.
  public var descriptorStore: DescriptorStore?
  /// How missing bytes of layers are asked for.
  public var fill = FillChoice.auto
  /// How long a call of containerd may wait for anything of this machine; see `CallRegister`.
  public var callLimit = Duration.seconds(120)
  /// How fast layers are completed in the background, in bytes per second; `nil`: as fast as the registry gives.
  public var backgroundBytesPerSecond: Int64?

  public init(root: String, run: String, hostsDirectory: String? = nil, keeper: [String]) {
    self.root = root
    self.run = run
    self.hostsDirectory = hostsDirectory
    self.keeper = keeper
  }

  /// The socket that containerd speaks to.
  public var snapshotSocket: String { "\(run)/snapshots.sock" }
  /// The socket that `nagaya images` speaks to.
  public var statusSocket: String { "\(run)/status.sock" }
  /// The socket for whoever pulls images (the kubelet's `--image-service-endpoint`), if `containerdSocket` is given.
  public var imageServiceSocket: String { "\(run)/image-service.sock" }
  /// What containerd's `exports.root` names, so that the kubelet's figures are of the right file system.
  public var snapshotRoot: String { "\(root)/snapshots" }
}

/// The snapshotter as a whole: registry, layers, snapshots and status.
public struct LazyImages: Sendable {
  /// In the order in which they start; they stop in the opposite one.
  public let services: [any Service]
  private let registry: RegistryClient
  private let layers: LayerStore
  private let admission: ImageAdmission?

  /// What is in progress, and what it waits for.
  public let calls: CallRegister
  /// How missing bytes of layers are asked for, and why so.
  public var fill: FillDecision { layers.fill }

  /// Opens what is there, tests the machine, and takes over what an earlier process kept mounted.
  /// - Throws: `LayerStoreError.unsupported` if this kernel or file system can't feed mounts on demand.
  public init(_ configuration: LazyImagesConfiguration, logger: Logger) async throws {
    for directory in [configuration.root, configuration.run, configuration.snapshotRoot] {
      try Directory.make(directory, permissions: 0o700)
    }
    let pulls = RememberedCredentials(file: "\(configuration.run)/credentials.json", logger: logger)
    registry = RegistryClient(
      RegistryConfiguration(
        hostsDirectory: configuration.hostsDirectory, credentials: [pulls] + configuration.credentials),
      logger: logger)
    let origins = RegistryOrigins(registry: registry)
    var store = LayerStore.Configuration(
      directory: "\(configuration.root)/layers", runDirectory: "\(configuration.run)/layers")
    store.keeper = configuration.keeper
    let calls = CallRegister(patience: configuration.callLimit)
    self.calls = calls
    store.calls = calls
    store.fill = configuration.fill
    store.descriptorStore = configuration.descriptorStore
    store.provesLayers = true
    // A start reads with pauses of a second and more (a program that computes); its bytes come first.
    store.backgroundQuiet = .seconds(3)
    store.backgroundBytesPerSecond = configuration.backgroundBytesPerSecond
    layers = try await LayerStore.open(store, sources: OriginSources(origins: origins), logger: logger)
    let resolver = try LayerResolver(
      store: layers, origins: origins, directory: configuration.root, calls: calls, logger: logger)
    let snapshots = SnapshotServer(
      configuration: SnapshotterConfiguration(root: configuration.snapshotRoot, socket: configuration.snapshotSocket),
      layers: resolver, calls: calls, logger: logger)
    let status = StatusServer(
      socket: configuration.statusSocket,
      source: ImagesStatus(store: layers, resolver: resolver, snapshots: snapshots, calls: calls),
      logger: logger)
    var services: [any Service] = [
      RegistryShutdown(registry: registry), layers, resolver, snapshots, status, IdleMemory(store: layers),
    ]
    admission = try configuration.containerdSocket.map {
      try ImageAdmission(containerdSocket: $0, snapshots: snapshots)
    }
    if let containerd = configuration.containerdSocket, let admission {
      services += [
        admission,
        ImageServiceRelay(
          socket: configuration.imageServiceSocket, containerdSocket: containerd, credentials: pulls,
          admission: admission, calls: calls, logger: logger),
      ]
    }
    if let limit = configuration.cacheBytes {
      services.append(CacheLimit(store: layers, limitBytes: limit, logger: logger))
    }
    self.services = services
  }

  /// Looks at an image of CRI before a container is made of it: layers that others brought under the chain IDs of its own
  /// are proven first. Fine without a `containerdSocket`.
  /// - Parameters:
  ///   - reference: the image as a pod names it.
  ///   - id: the digest of its configuration.
  /// - Throws: in words, why nothing may be made of it.
  public func admit(_ reference: String, id: String) async throws {
    try await admission?.admit(reference, id: id)
  }

  /// Unmounts every layer and ends the processes that keep and guard them: for machines on which no container is left.
  public func takeDown() async {
    // What is busy stays mounted, and guarded.
    await layers.unmountAll()
  }
}

/// Ends the registry's connections when everything that used them has ended.
private struct RegistryShutdown: Service {
  let registry: RegistryClient

  func run() async throws {
    try? await gracefulShutdown()
    await registry.shutdown()
  }
}
