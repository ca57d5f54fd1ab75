import CSI
import GRPCCore
import GRPCSockets
import KubernetesAPI
import ServiceLifecycle

/// A connection to a CSI driver's socket, and the calls that the controllers make of it.
public struct VolumeDriver: Service {
  typealias Transport = WaitingTransport

  /// The driver's refusal.
  public struct Refusal: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Kind: Sendable, Hashable {
      /// It does not fit there; another node may have room.
      case noRoom
      /// Asking again will not help.
      case invalid
      /// It may work later.
      case passing
    }
    public let kind: Kind
    public let description: String
  }

  /// What a new volume is to be.
  struct VolumeRequest: Sendable {
    var name: String
    var bytes: Int64
    var fileSystem: String
    var isBlock: Bool
    var mountOptions: [String]
    var parameters: [String: String]
    /// Those of its volume attributes class.
    var mutableParameters: [String: String] = [:]
    var topology: [String: String]
    var origin: ClaimOrigin.Handle?
  }

  struct Volume: Sendable {
    var id: String
    var bytes: Int64
    var context: [String: String]
    var topology: [String: String]
  }

  struct Capacity: Sendable {
    var available: Int64
    var largestVolume: Int64
  }

  /// The node that the driver runs on.
  public struct Node: Sendable, Hashable {
    public var id: String
    public var topology: [String: String]
  }

  private let connection: GRPCClient<Transport>
  let controller: Csi_V1_Controller.Client<Transport>
  private let node: Csi_V1_Node.Client<Transport>

  public init(socket: String) throws {
    connection = GRPCClient(transport: try LocalTransport.client(socket: socket))
    controller = Csi_V1_Controller.Client(wrapping: connection)
    node = Csi_V1_Node.Client(wrapping: connection)
  }

  public func run() async throws {
    try await withGracefulShutdownHandler {
      try await connection.runConnections()
    } onGracefulShutdown: {
      connection.beginGracefulShutdown()
    }
  }

  func create(_ volume: VolumeRequest) async throws(Refusal) -> Volume {
    var request = Csi_V1_CreateVolumeRequest()
    request.name = volume.name
    request.capacityRange.requiredBytes = volume.bytes
    request.volumeCapabilities = [Self.capability(volume)]
    request.parameters = volume.parameters
    request.mutableParameters = volume.mutableParameters
    var topology = Csi_V1_Topology()
    topology.segments = volume.topology
    request.accessibilityRequirements.requisite = [topology]
    request.accessibilityRequirements.preferred = [topology]
    switch volume.origin {
    case .snapshot(let id): request.volumeContentSource.snapshot.snapshotID = id
    case .volume(let id): request.volumeContentSource.volume.volumeID = id
    case nil: break
    }
    let answer = try await call { try await controller.createVolume(request, options: Self.options) }
    return Volume(
      id: answer.volume.volumeID, bytes: answer.volume.capacityBytes, context: answer.volume.volumeContext,
      topology: answer.volume.accessibleTopology.first?.segments ?? volume.topology)
  }

  func delete(_ id: String) async throws(Refusal) {
    var request = Csi_V1_DeleteVolumeRequest()
    request.volumeID = id
    _ = try await call { try await controller.deleteVolume(request, options: Self.options) }
  }

  /// Gives a volume other attributes.
  func modify(_ id: String, _ parameters: [String: String]) async throws(Refusal) {
    var request = Csi_V1_ControllerModifyVolumeRequest()
    request.volumeID = id
    request.mutableParameters = parameters
    _ = try await call { try await controller.controllerModifyVolume(request, options: Self.options) }
  }

  /// - Returns: the new size and whether the node must grow the file system.
  func expand(_ id: String, to bytes: Int64) async throws(Refusal) -> (bytes: Int64, needsNode: Bool) {
    var request = Csi_V1_ControllerExpandVolumeRequest()
    request.volumeID = id
    request.capacityRange.requiredBytes = bytes
    let answer = try await call { try await controller.controllerExpandVolume(request, options: Self.options) }
    return (answer.capacityBytes, answer.nodeExpansionRequired)
  }

  /// Grows the file system of a volume that is mounted at `path`.
  func expandOnNode(_ id: String, path: String, to bytes: Int64) async throws(Refusal) {
    var request = Csi_V1_NodeExpandVolumeRequest()
    request.volumeID = id
    request.volumePath = path
    request.capacityRange.requiredBytes = bytes
    _ = try await call { try await node.nodeExpandVolume(request, options: Self.options) }
  }

  func capacity(parameters: [String: String], topology: [String: String]) async throws(Refusal) -> Capacity {
    var request = Csi_V1_GetCapacityRequest()
    request.parameters = parameters
    request.accessibleTopology.segments = topology
    let answer = try await call { try await controller.getCapacity(request, options: Self.options) }
    return Capacity(
      available: answer.availableCapacity,
      largestVolume: answer.hasMaximumVolumeSize ? answer.maximumVolumeSize.value : answer.availableCapacity)
  }

  /// Every volume that the driver keeps, by its id.
  func volumes() async throws(Refusal) -> Set<String> {
    var found: Set<String> = []
    var request = Csi_V1_ListVolumesRequest()
    repeat {
      let page = request
      let answer = try await call { try await controller.listVolumes(page, options: Self.options) }
      found.formUnion(answer.entries.map(\.volume.volumeID))
      request.startingToken = answer.nextToken
    } while !request.startingToken.isEmpty
    return found
  }

  public func nodeInfo() async throws(Refusal) -> Node {
    let answer = try await call { try await node.nodeGetInfo(Csi_V1_NodeGetInfoRequest(), options: Self.options) }
    return Node(id: answer.nodeID, topology: answer.accessibleTopology.segments)
  }

  private static func capability(_ volume: VolumeRequest) -> Csi_V1_VolumeCapability {
    var capability = Csi_V1_VolumeCapability()
    capability.accessMode.mode = .singleNodeWriter
    if volume.isBlock {
      capability.block = .init()
    } else {
      capability.mount.fsType = volume.fileSystem
      capability.mount.mountFlags = volume.mountOptions
    }
    return capability
  }

  static var options: CallOptions {
    var options = CallOptions.defaults
    options.timeout = .seconds(120)
    options.waitForReady = true
    return options
  }

  func call<Answer: Sendable>(_ body: () async throws -> Answer) async throws(Refusal) -> Answer {
    do { return try await body() } catch let error as RPCError {
      let kind: Refusal.Kind =
        switch error.code {
        case .resourceExhausted, .outOfRange: .noRoom
        case .invalidArgument, .alreadyExists, .failedPrecondition, .unimplemented, .permissionDenied: .invalid
        default: .passing
        }
      throw Refusal(kind: kind, description: error.message)
    } catch {
      throw Refusal(kind: .passing, description: "\(error)")
    }
  }
}
