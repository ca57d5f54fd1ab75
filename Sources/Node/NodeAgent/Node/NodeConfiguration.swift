/// What a node agent needs to know; nothing is read from elsewhere.
public struct NodeConfiguration: Sendable {
  /// The Node object's name.
  public var name: String
  /// The address by which pods are reached from this node and others, IPv4.
  public var address: String
  /// The agent's own directory, `S/node`.
  public var directory: String
  /// The runtime's CRI socket.
  public var runtimeSocket: String
  /// The socket of CRI's image service, if another one than the runtime's.
  public var imageSocket: String?
  /// The runtime's snapshotter, which shows volumes that are images.
  public var snapshotter: String
  /// Asked before a container is made of an image, by the image's name and id; throws if nothing may be made of it.
  public var imageGate: (@Sendable (String, String) async throws -> Void)?
  /// `nil`: there are no hooks.
  public var hooks: RuntimeHooks?
  /// CSI driver names and the paths of their node services' sockets.
  public var csiSockets: [String: String]
  /// The label of persistent volumes that says on which node they lie; `nil`: their file systems do not grow while mounted.
  public var volumeLabel: String?
  /// The network of this node's pods.
  public var network: PodNetwork
  public var maximumPods: Int
  public var limits: NodeLimits
  public var labels: [String: String]
  /// First and longest delay between runs of a container that fails.
  public var crashBackOff: (initial: Duration, maximum: Duration)
  /// How often each pod is compared with the runtime although nothing was told.
  public var resync: Duration
  /// How often the node says that it lives.
  public var heartbeat: Duration
  /// How often files of config maps, secrets and tokens are compared with the API.
  public var volumeRefresh: Duration
  /// Where the API server listens as this node reaches it; pods that have a token reach it by the network's `apiPort`.
  public var apiServer: (host: String, port: Int)?
  /// The port of the agent's own https API, once it listens; the Node object tells it. `nil`: it has none.
  public var apiPort: (@Sendable () async throws -> Int)?

  public init(
    name: String, address: String, directory: String, runtimeSocket: String, imageSocket: String? = nil,
    snapshotter: String = SnapshotterPlugin.overlayfs.name,
    imageGate: (@Sendable (String, String) async throws -> Void)? = nil,
    hooks: RuntimeHooks? = nil, csiSockets: [String: String] = [:], volumeLabel: String? = nil,
    network: PodNetwork, maximumPods: Int = 250, limits: NodeLimits = NodeLimits(), labels: [String: String] = [:],
    crashBackOff: (initial: Duration, maximum: Duration) = (.seconds(10), .seconds(300)),
    resync: Duration = .seconds(10), heartbeat: Duration = .seconds(10), volumeRefresh: Duration = .seconds(60),
    apiServer: (host: String, port: Int)? = nil, apiPort: (@Sendable () async throws -> Int)? = nil
  ) {
    self.name = name
    self.address = address
    self.directory = directory
    self.runtimeSocket = runtimeSocket
    self.imageSocket = imageSocket
    self.snapshotter = snapshotter
    self.imageGate = imageGate
    self.hooks = hooks
    self.csiSockets = csiSockets
    self.volumeLabel = volumeLabel
    self.network = network
    self.maximumPods = maximumPods
    self.limits = limits
    self.labels = labels
    self.crashBackOff = crashBackOff
    self.resync = resync
    self.heartbeat = heartbeat
    self.volumeRefresh = volumeRefresh
    self.apiServer = apiServer
    self.apiPort = apiPort
  }
}

/// Hooks of the runtime, which change containers before they are made.
public struct RuntimeHooks: Sendable, Hashable {
  /// An annotation that they give every container that they were asked about. One that has not got it is not started, but made
  /// anew.
  public var mark: String
  /// Where they tell of limits that they changed while containers run; `nil`: nowhere.
  public var statusSocket: String?

  public init(mark: String, statusSocket: String? = nil) {
    self.mark = mark
    self.statusSocket = statusSocket
  }
}
