import CSI
import GRPCCore
import GRPCSockets
import JSONDocument

/// A CSI volume as a pod uses it: enough to publish it and, after a crash, to take it back (CSI 1.x, "Node Service").
struct CSIVolume: Hashable, Sendable {
  var driver: String
  /// `volumeHandle` of the persistent volume.
  var handle: String
  var fsType: String
  var mountFlags: [String]
  var attributes: [String: String]
  /// `ReadWriteOnce`, `ReadOnlyMany`, …
  var accessMode: String
  var isReadOnly: Bool
  /// Wanted as a device, without a file system.
  var isBlock: Bool

  /// The record on disk.
  var json: JSONValue {
    [
      "driver": .string(driver), "handle": .string(handle), "fsType": .string(fsType),
      "mountFlags": .array(mountFlags.map { .string($0) }), "attributes": .strings(attributes),
      "accessMode": .string(accessMode), "readOnly": .bool(isReadOnly), "block": .bool(isBlock),
    ]
  }

  init?(json: JSONValue) {
    guard let driver = json["driver"].string, let handle = json["handle"].string else { return nil }
    self.driver = driver
    self.handle = handle
    fsType = json["fsType"].string ?? ""
    mountFlags = json["mountFlags"].elements.compactMap(\.string)
    attributes = json["attributes"].strings
    accessMode = json["accessMode"].string ?? "ReadWriteOnce"
    isReadOnly = json["readOnly"].bool ?? false
    isBlock = json["block"].bool ?? false
  }

  var capability: Csi_V1_VolumeCapability {
    .with {
      if isBlock {
        $0.block = .init()
      } else {
        $0.mount = .with {
          $0.fsType = fsType
          $0.mountFlags = mountFlags
        }
      }
      $0.accessMode.mode =
        switch accessMode {
        case "ReadOnlyMany": .multiNodeReaderOnly
        case "ReadWriteMany": .multiNodeMultiWriter
        case "ReadWriteOncePod": .singleNodeSingleWriter
        default: .singleNodeWriter
        }
    }
  }
}

/// The node service of a CSI driver, called over its unix socket.
struct CSINode: Sendable {
  let socket: String
  /// Time for one call; making a file system on a large volume takes a while.
  static let limit = Duration.seconds(120)

  private func call<Answer: Sendable>(
    _ body: @Sendable @escaping (Csi_V1_Node.Client<WaitingTransport>, CallOptions) async throws -> Answer
  ) async throws -> Answer {
    try await withGRPCClient(transport: try LocalTransport.client(socket: socket)) { client in
      try await body(Csi_V1_Node.Client(wrapping: client), RuntimeClient.within(Self.limit))
    }
  }

  func stage(_ volume: CSIVolume, at path: String) async throws {
    _ = try await call { node, options in
      let answer = try await node.nodeGetCapabilities(Csi_V1_NodeGetCapabilitiesRequest(), options: options)
      guard answer.capabilities.contains(where: { $0.rpc.type == .stageUnstageVolume }) else { return }
      _ = try await node.nodeStageVolume(
        .with {
          $0.volumeID = volume.handle
          $0.stagingTargetPath = path
          $0.volumeCapability = volume.capability
          $0.volumeContext = volume.attributes
        }, options: options)
    }
  }

  func publish(_ volume: CSIVolume, staged: String, at path: String) async throws {
    _ = try await call { node, options in
      try await node.nodePublishVolume(
        .with {
          $0.volumeID = volume.handle
          $0.stagingTargetPath = staged
          $0.targetPath = path
          $0.volumeCapability = volume.capability
          $0.volumeContext = volume.attributes
          $0.readonly = volume.isReadOnly
        }, options: options)
    }
  }

  func expand(_ volume: CSIVolume, staged: String, at path: String, to bytes: Int64) async throws {
    _ = try await call { node, options in
      try await node.nodeExpandVolume(
        .with {
          $0.volumeID = volume.handle
          $0.volumePath = path
          $0.stagingTargetPath = staged
          $0.capacityRange.requiredBytes = bytes
          $0.volumeCapability = volume.capability
        }, options: options)
    }
  }

  func unpublish(_ volume: CSIVolume, at path: String) async throws {
    _ = try await call { node, options in
      try await node.nodeUnpublishVolume(
        .with {
          $0.volumeID = volume.handle
          $0.targetPath = path
        }, options: options)
    }
  }

  func unstage(_ volume: CSIVolume, at path: String) async throws {
    _ = try await call { node, options in
      let answer = try await node.nodeGetCapabilities(Csi_V1_NodeGetCapabilitiesRequest(), options: options)
      guard answer.capabilities.contains(where: { $0.rpc.type == .stageUnstageVolume }) else { return }
      _ = try await node.nodeUnstageVolume(
        .with {
          $0.volumeID = volume.handle
          $0.stagingTargetPath = path
        }, options: options)
    }
  }
}
