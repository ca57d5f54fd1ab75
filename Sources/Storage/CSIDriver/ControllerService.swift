import CSI
import GRPCCore
import KubernetesAPI
import Logging
import SwiftProtobuf
import VolumePools

/// Makes, grows, lists and removes volumes of this node's pools.
struct ControllerService: Csi_V1_Controller.SimpleServiceProtocol {
  let configuration: DriverConfiguration
  let logger: Logger

  /// Parameters of the orchestrator's own that say nothing about the volume.
  private static let ignoredParameters: Set<String> = [
    "csi.storage.k8s.io/pv/name", "csi.storage.k8s.io/pvc/name", "csi.storage.k8s.io/pvc/namespace",
    "csi.storage.k8s.io/fstype",
  ]

  // MARK: Volumes

  func createVolume(request: Csi_V1_CreateVolumeRequest, context: ServerContext) async throws
    -> Csi_V1_CreateVolumeResponse
  {
    try await answering {
      guard !request.name.isEmpty else { throw RPCError.missing("name") }
      let access = try AccessType.common(request.volumeCapabilities)
      try Self.checkMutable(request.mutableParameters)
      let pool = try pool(request.parameters)
      try checkTopology(request)
      let source = try await source(of: request, in: pool)
      if let (other, _) = await configuration.find(request.name), other.poolName != pool.poolName {
        throw RPCError(
          code: .alreadyExists,
          message: "volume \(request.name) exists already in pool \(other.poolName); choose another name")
      }
      let volume = try await pool.create(
        VolumeRequest(
          name: request.name, bytes: request.capacityRange.requiredBytes, limitBytes: request.capacityRange.limitBytes,
          fileSystem: access.fileSystem, parameters: ["pool": pool.poolName], source: source))
      return .with { $0.volume = describe(volume) }
    }
  }

  func deleteVolume(request: Csi_V1_DeleteVolumeRequest, context: ServerContext) async throws
    -> Csi_V1_DeleteVolumeResponse
  {
    try await answering {
      guard !request.volumeID.isEmpty else { throw RPCError.missing("volume_id") }
      if let (pool, volume) = await configuration.find(request.volumeID) {
        try await pool.delete(volume.name)
      } else {
        // Every pool is asked: a deletion that failed half-way is no longer listed but must be finished.
        for pool in configuration.pools.values { try await pool.delete(request.volumeID) }
      }
      return Csi_V1_DeleteVolumeResponse()
    }
  }

  func controllerExpandVolume(request: Csi_V1_ControllerExpandVolumeRequest, context: ServerContext) async throws
    -> Csi_V1_ControllerExpandVolumeResponse
  {
    try await answering(isExpansion: true) {
      guard !request.volumeID.isEmpty else { throw RPCError.missing("volume_id") }
      guard request.hasCapacityRange else { throw RPCError.missing("capacity_range") }
      guard let (pool, volume) = await configuration.find(request.volumeID) else {
        throw RPCError.volumeNotFound(request.volumeID)
      }
      let bytes = try await pool.expand(
        request.volumeID, to: request.capacityRange.requiredBytes, limitBytes: request.capacityRange.limitBytes)
      return .with {
        $0.capacityBytes = bytes
        $0.nodeExpansionRequired = volume.fileSystem != nil
      }
    }
  }

  func validateVolumeCapabilities(request: Csi_V1_ValidateVolumeCapabilitiesRequest, context: ServerContext)
    async throws -> Csi_V1_ValidateVolumeCapabilitiesResponse
  {
    try await answering {
      guard !request.volumeID.isEmpty else { throw RPCError.missing("volume_id") }
      guard !request.volumeCapabilities.isEmpty else { throw RPCError.missing("volume_capabilities") }
      guard let (_, volume) = await configuration.find(request.volumeID) else {
        throw RPCError.volumeNotFound(request.volumeID)
      }
      do throws(RPCError) {
        let access = try AccessType.common(request.volumeCapabilities)
        guard access.fileSystem == volume.fileSystem else {
          return .with { $0.message = "the volume holds \(volume.fileSystem?.rawValue ?? "no file system")" }
        }
      } catch { return .with { $0.message = error.message } }
      return .with {
        $0.confirmed.volumeContext = request.volumeContext
        $0.confirmed.volumeCapabilities = request.volumeCapabilities
        $0.confirmed.parameters = request.parameters
      }
    }
  }

  func getCapacity(request: Csi_V1_GetCapacityRequest, context: ServerContext) async throws
    -> Csi_V1_GetCapacityResponse
  {
    try await answering {
      let access: AccessType =
        request.volumeCapabilities.isEmpty ? .mount(.xfs, flags: []) : try .common(request.volumeCapabilities)
      guard isHere(request.accessibleTopology),
        let pool = configuration.pools[request.parameters[configuration.poolParameter] ?? configuration.defaultPool]
      else { return Csi_V1_GetCapacityResponse() }
      let capacity = try await pool.capacity(for: access.fileSystem)
      return .with {
        $0.availableCapacity = capacity.availableBytes
        $0.maximumVolumeSize = .with { $0.value = capacity.maximumVolumeBytes }
        $0.minimumVolumeSize = .with { $0.value = capacity.minimumVolumeBytes }
      }
    }
  }

  func listVolumes(request: Csi_V1_ListVolumesRequest, context: ServerContext) async throws
    -> Csi_V1_ListVolumesResponse
  {
    try await answering {
      var volumes: [Volume] = []
      for pool in configuration.pools.values { volumes += await pool.volumes() }
      let page = try Page(of: volumes, after: request.startingToken, atMost: request.maxEntries, name: \.name)
      return .with {
        $0.entries = page.entries.map { volume in
          .with {
            $0.volume = describe(volume)
            $0.status.volumeCondition = Self.condition(volume)
          }
        }
        $0.nextToken = page.nextToken
      }
    }
  }

  func controllerGetVolume(request: Csi_V1_ControllerGetVolumeRequest, context: ServerContext) async throws
    -> Csi_V1_ControllerGetVolumeResponse
  {
    guard !request.volumeID.isEmpty else { throw RPCError.missing("volume_id") }
    guard let (_, volume) = await configuration.find(request.volumeID) else {
      throw RPCError.volumeNotFound(request.volumeID)
    }
    return .with {
      $0.volume = describe(volume)
      $0.status.volumeCondition = Self.condition(volume)
    }
  }

  /// Takes what may change of a volume in use. Nothing of the volume itself does: whoever runs its containers holds them to its
  /// class, which the volume's object names.
  func controllerModifyVolume(request: Csi_V1_ControllerModifyVolumeRequest, context: ServerContext) async throws
    -> Csi_V1_ControllerModifyVolumeResponse
  {
    try await answering {
      guard !request.volumeID.isEmpty else { throw RPCError.missing("volume_id") }
      guard await configuration.find(request.volumeID) != nil else { throw RPCError.volumeNotFound(request.volumeID) }
      try Self.checkMutable(request.mutableParameters)
      return Csi_V1_ControllerModifyVolumeResponse()
    }
  }

  func controllerGetCapabilities(request: Csi_V1_ControllerGetCapabilitiesRequest, context: ServerContext) async throws
    -> Csi_V1_ControllerGetCapabilitiesResponse
  {
    .with {
      $0.capabilities = [
        .createDeleteVolume, .getCapacity, .listVolumes, .expandVolume, .getVolume, .volumeCondition,
        .singleNodeMultiWriter, .modifyVolume, .createDeleteSnapshot, .listSnapshots, .getSnapshot, .cloneVolume,
      ].map { type in .with { $0.rpc.type = type } }
    }
  }

  // MARK: What local volumes do not need

  func controllerPublishVolume(request: Csi_V1_ControllerPublishVolumeRequest, context: ServerContext) async throws
    -> Csi_V1_ControllerPublishVolumeResponse
  { throw Self.notOffered("ControllerPublishVolume: local volumes need no attaching") }

  func controllerUnpublishVolume(request: Csi_V1_ControllerUnpublishVolumeRequest, context: ServerContext) async throws
    -> Csi_V1_ControllerUnpublishVolumeResponse
  { throw Self.notOffered("ControllerUnpublishVolume: local volumes need no attaching") }

  private static func notOffered(_ what: String) -> RPCError {
    RPCError(code: .unimplemented, message: "\(what) is not offered; ask ControllerGetCapabilities for what is")
  }

  // MARK: Parts

  private func pool(_ parameters: [String: String]) throws(RPCError) -> any VolumeBackend {
    let own = parameters.filter { !Self.ignoredParameters.contains($0.key) }
    if let fault = VolumeParameters.faults(own, isMutable: false).first { throw .invalid(fault.description) }
    let name = parameters[configuration.poolParameter] ?? configuration.defaultPool
    guard let pool = configuration.pools[name] else {
      throw .invalid(
        "pool \"\(name.prefix(63))\" is not on node \(configuration.nodeName); its pools: \(configuration.pools.keys.sorted().joined(separator: ", "))"
      )
    }
    return pool
  }

  private static func checkMutable(_ parameters: [String: String]) throws(RPCError) {
    if let fault = VolumeParameters.faults(parameters, isMutable: true).first { throw .invalid(fault.description) }
  }

  /// The volume is here or nowhere: if places are required, this node must be one of them.
  private func checkTopology(_ request: Csi_V1_CreateVolumeRequest) throws(RPCError) {
    let requisite = request.accessibilityRequirements.requisite
    guard requisite.isEmpty || requisite.contains(where: isHere) else {
      throw RPCError(
        code: .resourceExhausted,
        message:
          "volume \(request.name): node \(configuration.nodeName) is in none of the required topologies; ask the driver on the right node"
      )
    }
  }

  private func isHere(_ topology: Csi_V1_Topology) -> Bool {
    topology.segments[configuration.topologyKey].map { $0 == configuration.nodeName } ?? topology.segments.isEmpty
  }

  private func describe(_ volume: Volume) -> Csi_V1_Volume {
    .with {
      $0.volumeID = volume.name
      $0.capacityBytes = volume.bytes
      if let source = volume.source { $0.contentSource = Self.contentSource(source) }
      if let pool = volume.parameters["pool"] { $0.volumeContext = [configuration.poolParameter: pool] }
      $0.accessibleTopology = [.with { $0.segments = [configuration.topologyKey: configuration.nodeName] }]
    }
  }

  static func condition(_ volume: Volume) -> Csi_V1_VolumeCondition {
    .with {
      $0.abnormal = volume.fault != nil
      $0.message = volume.fault ?? "the volume is well"
    }
  }
}
