import GRPCSockets
public import LayerStore
import LinuxSystem
import Locking
public import Logging
public import ServiceLifecycle

/// Serves containerd's snapshotter API on a unix socket, as a proxy plugin; runs until cancelled or asked to shut down.
///
/// Mounted snapshots and running containers do not need it: it may be restarted, or killed, at any time.
public final class SnapshotServer: Service, Sendable {
  private let configuration: SnapshotterConfiguration
  private let layers: any RemoteLayers
  private let calls: CallRegister
  private let logger: Logger
  /// While it runs.
  private let running = Mutex<Snapshotter?>(nil)

  /// Bytes of a message; what containerd allows itself.
  static let messageLimit = 16 << 20

  /// - Parameters:
  ///   - layers: decides which layers need no unpacking.
  ///   - calls: where containerd's calls are noted.
  public init(
    configuration: SnapshotterConfiguration, layers: any RemoteLayers, calls: CallRegister = CallRegister(),
    logger: Logger
  ) {
    self.calls = calls
    self.configuration = configuration
    self.layers = layers
    self.logger = logger
  }

  /// - Throws: when the root can't be used, or another process works on it; `SystemError` of the socket.
  public func run() async throws {
    try Directory.make(configuration.root, permissions: 0o700)
    guard let lock = try FileLock(configuration.lockFile) else {
      throw SnapshotError.rootInUse(configuration.root)
    }
    let snapshotter = try Snapshotter(root: configuration, layers: layers, logger: logger)
    running.withLock { $0 = snapshotter }
    defer { running.withLock { $0 = nil } }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { await snapshotter.judgeLayers() }
      try await serve(snapshotter)
      group.cancelAll()
    }
    try snapshotter.close()
    withExtendedLifetime(lock) {}
  }

  /// Has layers proven for whose chain ID somebody names another blob than the one they came from.
  /// - Throws: what forbids the proof, and `SnapshotError.notRunning`.
  func contest(_ claims: [LayerClaim]) async throws {
    guard let snapshotter = running.withLock({ $0 }) else { throw SnapshotError.notRunning }
    try await snapshotter.contest(claims)
  }

  /// Containers that have a layer since then or longer, by the last part of their snapshots' names.
  /// - Parameter moment: in nanoseconds since 1970.
  func users(of layer: LayerKey, before moment: Int64) async -> [String] {
    guard let snapshotter = running.withLock({ $0 }) else { return [] }
    let records = snapshotter.records
    let names = try? await BlockingWork.run { try records.users(of: layer, before: moment) }
    return (names ?? []).compactMap { $0.split(separator: "/").last.map(String.init) }
  }

  private func serve(_ snapshotter: Snapshotter) async throws {
    let socket = configuration.socket
    try await LocalServer.serve(
      [SnapshotsService(snapshotter: snapshotter, calls: calls)], socket: socket, messageLimit: Self.messageLimit
    ) {
      self.logger.info("snapshotter listens", metadata: ["socket": "\(socket)"])
      await snapshotter.takeUpLayers()
    }
  }
}
