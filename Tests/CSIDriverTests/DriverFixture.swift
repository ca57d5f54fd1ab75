import CSI
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Glibc
import LinuxSystem
import Logging
import VolumePools

@testable import CSIDriver

/// A driver on a socket over a fresh pool, and clients of it.
struct Driver: Sendable {
  typealias Transport = HTTP2ClientTransport.Posix

  let path: String
  let pool: any VolumeBackend
  let identity: Csi_V1_Identity.Client<Transport>
  let controller: Csi_V1_Controller.Client<Transport>
  let node: Csi_V1_Node.Client<Transport>

  var socket: String { path + "/csi/driver.sock" }

  /// Runs `body` with a driver, and takes everything away after.
  static func with(limitBytes: Int64 = 2 << 30, _ body: @Sendable (Driver) async throws -> Void) async throws {
    try await with(
      pool: { path, logger in
        try await FilePool.open(
          FilePool.Configuration(name: "default", directory: path + "/pool", limitBytes: limitBytes, reservedBytes: 0),
          logger: logger)
      }, body)
  }

  /// - Parameter pool: opens the pool; is given a directory for what it needs.
  static func with(
    pool open: (_ path: String, Logger) async throws -> any VolumeBackend,
    _ body: @Sendable (Driver) async throws -> Void
  ) async throws {
    let path = "/tmp/nagaya-csi-\(UInt64.random(in: 0 ... .max))"
    try Directory.make(path + "/csi")
    defer { clean(path) }
    // A stale socket of a driver that was killed.
    try OpenFile(path + "/csi/driver.sock", .createNew).sync()
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let pool = try await open(path, logger)
    let server = CSIServer(
      DriverConfiguration(nodeName: "node-1", pools: [pool], defaultPool: pool.poolName),
      socket: path + "/csi/driver.sock", logger: logger)
    let connection = GRPCClient(
      transport: try .http2NIOPosix(
        target: .unixDomainSocket(path: path + "/csi/driver.sock", authority: "localhost"),
        transportSecurity: .plaintext, config: .defaults { $0.backoff.initial = .milliseconds(20) }))
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.run() }
      defer { group.cancelAll() }
      let driver = Driver(
        path: path, pool: pool, identity: .init(wrapping: connection), controller: .init(wrapping: connection),
        node: .init(wrapping: connection))
      // The client ends before the server does: one that is cancelled under calls may drop them half-made.
      try await withThrowingTaskGroup(of: Void.self) { clients in
        clients.addTask { try await connection.runConnections() }
        defer { clients.cancelAll() }
        var options = CallOptions.defaults
        options.waitForReady = true
        options.timeout = .seconds(60)
        _ = try await driver.identity.probe(Csi_V1_ProbeRequest(), options: options)
        try await body(driver)
        connection.beginGracefulShutdown()
        try await clients.waitForAll()
      }
    }
  }

  private static func clean(_ path: String) {
    for mount in (try? Mounts.table().mounts(under: path)) ?? [] { try? Mounts.unmount(mount.mountPoint, lazily: true) }
    for (device, file) in (try? LoopDevice.all()) ?? [] where file.hasPrefix(path + "/") { try? device.detach() }
    removeTree(path)
  }

  private static func removeTree(_ path: String) {
    for name in (try? Directory.names(in: path)) ?? [] {
      let child = "\(path)/\(name)"
      if (try? FileStatus(of: child))?.kind == .directory { removeTree(child) } else { unlink(child) }
    }
    rmdir(path)
  }

  func create(_ name: String, bytes: Int64 = 320 << 20, _ capability: Csi_V1_VolumeCapability = .mount()) async throws
    -> Csi_V1_Volume
  {
    try await controller.createVolume(
      .with {
        $0.name = name
        $0.capacityRange.requiredBytes = bytes
        $0.volumeCapabilities = [capability]
      }
    ).volume
  }

  func stage(_ id: String, _ capability: Csi_V1_VolumeCapability = .mount()) async throws {
    _ = try await node.nodeStageVolume(
      .with {
        $0.volumeID = id
        $0.stagingTargetPath = staging(id)
        $0.volumeCapability = capability
      })
  }

  func publish(
    _ id: String, readOnly: Bool = false, at path: String? = nil, _ capability: Csi_V1_VolumeCapability = .mount()
  ) async throws {
    _ = try await node.nodePublishVolume(
      .with {
        $0.volumeID = id
        $0.stagingTargetPath = staging(id)
        $0.targetPath = path ?? target(id)
        $0.volumeCapability = capability
        $0.readonly = readOnly
      })
  }

  func unpublish(_ id: String) async throws {
    _ = try await node.nodeUnpublishVolume(
      .with {
        $0.volumeID = id
        $0.targetPath = target(id)
      })
  }

  func unstage(_ id: String) async throws {
    _ = try await node.nodeUnstageVolume(
      .with {
        $0.volumeID = id
        $0.stagingTargetPath = staging(id)
      })
  }

  func delete(_ id: String) async throws { _ = try await controller.deleteVolume(.with { $0.volumeID = id }) }

  /// How many loop devices the pool has in use.
  func devices() throws -> Int { try LoopDevice.all().filter { $0.file.hasPrefix(path + "/") }.count }

  func staging(_ id: String) -> String { "\(path)/staging/\(id)" }
  func target(_ id: String) -> String { "\(path)/target/\(id)" }
}

extension Csi_V1_VolumeCapability {
  static func mount(
    _ type: String = "", mode: AccessMode.Mode = .singleNodeWriter, flags: [String] = []
  ) -> Csi_V1_VolumeCapability {
    .with {
      $0.mount.fsType = type
      $0.mount.mountFlags = flags
      $0.accessMode.mode = mode
    }
  }

  static var raw: Csi_V1_VolumeCapability { raw(.singleNodeWriter) }

  static func raw(_ mode: AccessMode.Mode) -> Csi_V1_VolumeCapability {
    .with {
      $0.block = .init()
      $0.accessMode.mode = mode
    }
  }
}

/// The code a call is refused with; `nil` if it is not.
func refusal(_ body: () async throws -> Void) async -> RPCError.Code? {
  do {
    try await body()
    return nil
  } catch let error as RPCError { return error.code } catch { return .unknown }
}
