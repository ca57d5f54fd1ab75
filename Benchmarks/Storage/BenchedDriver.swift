import CSI
import Foundation
import GRPCCore
import GRPCSockets

/// A CSI driver in a process of its own, and a client of it: what a kubelet and a provisioner ask.
struct BenchedDriver: Sendable {
  let directory: String
  let parameters: [String: String]
  private let controller: Csi_V1_Controller.Client<WaitingTransport>
  private let node: Csi_V1_Node.Client<WaitingTransport>
  private let identity: Csi_V1_Identity.Client<WaitingTransport>
  private let connection: GRPCClient<WaitingTransport>

  /// - Parameters:
  ///   - directory: has its socket, `csi.sock`, and the places of volumes.
  ///   - pool: whose volumes are asked for.
  init(in directory: String, pool: String) throws {
    self.directory = directory
    parameters = ["local.nagaya.dev/pool": pool]
    connection = GRPCClient(transport: try LocalTransport.client(socket: "\(directory)/csi.sock"))
    controller = .init(wrapping: connection)
    node = .init(wrapping: connection)
    identity = .init(wrapping: connection)
  }

  /// Calls while the connection is up.
  func connected<Result: Sendable>(_ body: () async throws -> Result) async throws -> Result {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await connection.runConnections() }
      defer {
        connection.beginGracefulShutdown()
        group.cancelAll()
      }
      var options = CallOptions.defaults
      options.waitForReady = true
      options.timeout = .seconds(60)
      _ = try await identity.probe(Csi_V1_ProbeRequest(), options: options)
      return try await body()
    }
  }

  /// Keeps the connection until it is cancelled; the driver may come and go.
  func stayConnected() async throws { try await connection.runConnections() }

  func staging(_ volume: String) -> String { "\(directory)/staging/\(volume)" }
  func target(_ volume: String) -> String { "\(directory)/target/\(volume)" }

  private func capability(_ fileSystem: String?) -> Csi_V1_VolumeCapability {
    .with {
      if let fileSystem { $0.mount.fsType = fileSystem } else { $0.block = .init() }
      $0.accessMode.mode = .singleNodeWriter
    }
  }

  /// - Parameter fileSystem: `nil`: a raw block volume.
  func create(_ volume: String, bytes: Int64, fileSystem: String?) async throws {
    _ = try await controller.createVolume(
      .with {
        $0.name = volume
        $0.capacityRange.requiredBytes = bytes
        $0.volumeCapabilities = [capability(fileSystem)]
        $0.parameters = parameters
      })
  }

  func stage(_ volume: String, fileSystem: String?) async throws {
    _ = try await node.nodeStageVolume(
      .with {
        $0.volumeID = volume
        $0.stagingTargetPath = staging(volume)
        $0.volumeCapability = capability(fileSystem)
      })
  }

  func publish(_ volume: String, fileSystem: String?) async throws {
    _ = try await node.nodePublishVolume(
      .with {
        $0.volumeID = volume
        $0.stagingTargetPath = staging(volume)
        $0.targetPath = target(volume)
        $0.volumeCapability = capability(fileSystem)
      })
  }

  func unpublish(_ volume: String) async throws {
    _ = try await node.nodeUnpublishVolume(
      .with {
        $0.volumeID = volume
        $0.targetPath = target(volume)
      })
    _ = try await node.nodeUnstageVolume(
      .with {
        $0.volumeID = volume
        $0.stagingTargetPath = staging(volume)
      })
  }

  func delete(_ volume: String) async throws { _ = try await controller.deleteVolume(.with { $0.volumeID = volume }) }
}
