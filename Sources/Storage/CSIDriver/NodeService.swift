import CSI
import GRPCCore
import Glibc
import LinuxSystem
import Logging
import SwiftProtobuf
import VolumePools

/// Makes volumes usable on this node. All calls are idempotent; what counts is what the kernel's mount table says.
struct NodeService: Csi_V1_Node.SimpleServiceProtocol {
  let configuration: DriverConfiguration
  let logger: Logger
  private let gate = VolumeGate()

  init(configuration: DriverConfiguration, logger: Logger) {
    self.configuration = configuration
    self.logger = logger
  }

  // MARK: Staging

  func nodeStageVolume(request: Csi_V1_NodeStageVolumeRequest, context: ServerContext) async throws
    -> Csi_V1_NodeStageVolumeResponse
  {
    try await exclusively(request.volumeID) {
      let staging = try Self.path(request.stagingTargetPath, "staging_target_path")
      guard request.hasVolumeCapability else { throw RPCError.missing("volume_capability") }
      let access = try AccessType(request.volumeCapability)
      let (pool, volume) = try await found(request.volumeID)
      try Self.check(access, fits: volume)
      let device = try await pool.attach(volume.name)
      guard case .mount(let type, let flags) = access else { return Csi_V1_NodeStageVolumeResponse() }
      if let mount = try Mounts.table().top(at: staging) {
        guard try Self.isMount(mount, ofDevice: device) else {
          throw RPCError(
            code: .alreadyExists,
            message:
              "\(staging) is a mount point of \(mount.source), not of volume \(volume.name); unmount it or stage elsewhere"
          )
        }
      } else {
        try await pool.prepareFileSystem(volume.name)
        try Directory.make(staging, permissions: 0o750)
        try Mounts.mount(device, at: staging, type: type.rawValue, options: flags + type.mountOptions)
        try Self.openFreshRoot(staging)
      }
      try await pool.growFileSystem(volume.name, mountPoint: staging)
      logger.debug("staged volume", metadata: ["volume": "\(volume.name)", "path": "\(staging)"])
      return Csi_V1_NodeStageVolumeResponse()
    }
  }

  func nodeUnstageVolume(request: Csi_V1_NodeUnstageVolumeRequest, context: ServerContext) async throws
    -> Csi_V1_NodeUnstageVolumeResponse
  {
    try await exclusively(request.volumeID) {
      let staging = try Self.path(request.stagingTargetPath, "staging_target_path")
      if try Mounts.table().top(at: staging) != nil {
        // Blocks of deleted files go back to the pool; a volume that cannot be trimmed is unstaged all the same.
        _ = try? FileSystem.trim(staging)
        try unmountAll(staging)
      }
      if let (pool, volume) = await configuration.find(request.volumeID) { try await pool.detach(volume.name) }
      return Csi_V1_NodeUnstageVolumeResponse()
    }
  }

  // MARK: Publishing

  func nodePublishVolume(request: Csi_V1_NodePublishVolumeRequest, context: ServerContext) async throws
    -> Csi_V1_NodePublishVolumeResponse
  {
    try await exclusively(request.volumeID) {
      let target = try Self.path(request.targetPath, "target_path")
      guard request.hasVolumeCapability else { throw RPCError.missing("volume_capability") }
      let access = try AccessType(request.volumeCapability)
      let (pool, volume) = try await found(request.volumeID)
      try Self.check(access, fits: volume)
      let isReadOnly = request.readonly || request.volumeCapability.accessMode.mode == .singleNodeReaderOnly
      if let mount = try Mounts.table().top(at: target) {
        guard mount.isReadOnly == isReadOnly || access == .block else {
          throw RPCError(
            code: .alreadyExists,
            message:
              "volume \(volume.name) is published at \(target) \(mount.isReadOnly ? "read-only" : "writable"); unpublish it first"
          )
        }
        return Csi_V1_NodePublishVolumeResponse()
      }
      if request.volumeCapability.accessMode.mode == .singleNodeSingleWriter,
        let other = try await publication(of: volume, in: pool, besides: target, request.stagingTargetPath)
      {
        throw RPCError(
          code: .failedPrecondition,
          message:
            "volume \(volume.name) is for a single writer and published at \(other); unpublish it there first")
      }
      switch access {
      case .block:
        guard !isReadOnly else {
          throw RPCError.invalid(
            "volume \(volume.name): raw block volumes are published writable only; leave readonly out")
        }
        let device = try await pool.attach(volume.name)
        try Directory.make(Self.parent(of: target), permissions: 0o750)
        try OpenFile(target, .createIfMissing).sync()
        try Mounts.bind(device, at: target)
      case .mount:
        let staging = try Self.path(request.stagingTargetPath, "staging_target_path")
        guard try Mounts.table().top(at: staging) != nil else {
          throw RPCError(
            code: .failedPrecondition,
            message: "volume \(volume.name) is not staged at \(staging); call NodeStageVolume first")
        }
        try Directory.make(target, permissions: 0o750)
        try Mounts.bind(staging, at: target, readOnly: isReadOnly)
      }
      return Csi_V1_NodePublishVolumeResponse()
    }
  }

  func nodeUnpublishVolume(request: Csi_V1_NodeUnpublishVolumeRequest, context: ServerContext) async throws
    -> Csi_V1_NodeUnpublishVolumeResponse
  {
    try await exclusively(request.volumeID) {
      let target = try Self.path(request.targetPath, "target_path")
      try unmountAll(target)
      switch try FileStatus(of: target)?.kind {
      case .directory: try Directory.removeIfEmpty(target)
      // The empty file under a raw block volume; anything else is not ours to remove.
      case .file where try FileStatus(of: target)?.size == 0: try Directory.removeFile(target)
      default: break
      }
      return Csi_V1_NodeUnpublishVolumeResponse()
    }
  }

  // MARK: Growing and measuring

  func nodeExpandVolume(request: Csi_V1_NodeExpandVolumeRequest, context: ServerContext) async throws
    -> Csi_V1_NodeExpandVolumeResponse
  {
    try await exclusively(request.volumeID, isExpansion: true) {
      guard !request.volumePath.isEmpty else { throw RPCError.missing("volume_path") }
      let (pool, volume) = try await found(request.volumeID)
      let path = try Self.path(request.volumePath, "volume_path")
      guard request.capacityRange.requiredBytes <= volume.bytes else {
        throw RPCError(
          code: .outOfRange,
          message:
            "volume \(volume.name) has \(volume.bytes) bytes, \(request.capacityRange.requiredBytes) are wanted; call ControllerExpandVolume first"
        )
      }
      guard try FileStatus(of: path) != nil else { throw Self.pathNotFound(path, volume.name) }
      if volume.fileSystem != nil, try FileStatus(of: path)?.kind == .directory {
        guard try Mounts.table().top(at: path) != nil else { throw Self.pathNotFound(path, volume.name) }
        try await pool.growFileSystem(volume.name, mountPoint: path)
      }
      return .with { $0.capacityBytes = volume.bytes }
    }
  }

  func nodeGetVolumeStats(request: Csi_V1_NodeGetVolumeStatsRequest, context: ServerContext) async throws
    -> Csi_V1_NodeGetVolumeStatsResponse
  {
    try await answering {
      guard !request.volumeID.isEmpty else { throw RPCError.missing("volume_id") }
      guard !request.volumePath.isEmpty else { throw RPCError.missing("volume_path") }
      let (_, volume) = try await found(request.volumeID)
      let path = try Self.path(request.volumePath, "volume_path")
      guard let status = try FileStatus(of: path), try Mounts.table().top(at: path) != nil else {
        throw Self.pathNotFound(path, volume.name)
      }
      var response = Csi_V1_NodeGetVolumeStatsResponse()
      response.volumeCondition = ControllerService.condition(volume)
      if status.kind == .blockDevice {
        response.usage = [
          .with {
            $0.unit = .bytes
            $0.total = volume.bytes
          }
        ]
        return response
      }
      let usage = try FileSystemUsage(of: path)
      response.usage = [
        .with {
          $0.unit = .bytes
          $0.total = usage.totalBytes
          $0.available = usage.availableBytes
          $0.used = usage.usedBytes
        },
        .with {
          $0.unit = .inodes
          $0.total = usage.totalInodes
          $0.available = usage.freeInodes
          $0.used = usage.usedInodes
        },
      ]
      return response
    }
  }

  func nodeGetCapabilities(request: Csi_V1_NodeGetCapabilitiesRequest, context: ServerContext) async throws
    -> Csi_V1_NodeGetCapabilitiesResponse
  {
    .with {
      $0.capabilities = [
        .stageUnstageVolume, .getVolumeStats, .expandVolume, .volumeCondition, .singleNodeMultiWriter,
      ].map { type in .with { $0.rpc.type = type } }
    }
  }

  func nodeGetInfo(request: Csi_V1_NodeGetInfoRequest, context: ServerContext) async throws
    -> Csi_V1_NodeGetInfoResponse
  {
    .with {
      $0.nodeID = configuration.nodeName
      $0.accessibleTopology.segments = [configuration.topologyKey: configuration.nodeName]
    }
  }

  // MARK: Parts

  private func exclusively<Answer: Sendable>(
    _ volume: String, isExpansion: Bool = false, _ body: () async throws -> Answer
  ) async throws -> Answer {
    guard !volume.isEmpty else { throw RPCError.missing("volume_id") }
    await gate.enter(volume)
    let result: Result<Answer, RPCError>
    do { result = .success(try await body()) } catch {
      result = .failure(RPCError(mapping: error, isExpansion: isExpansion))
    }
    await gate.leave(volume)
    return try result.get()
  }

  private func found(_ id: String) async throws(RPCError) -> (any VolumeBackend, Volume) {
    guard let (pool, volume) = await configuration.find(id) else { throw .volumeNotFound(id) }
    return (pool, volume)
  }

  private static func check(_ access: AccessType, fits volume: Volume) throws(RPCError) {
    guard access.fileSystem == volume.fileSystem else {
      throw RPCError(
        code: .failedPrecondition,
        message:
          "volume \(volume.name) was made \(volume.fileSystem.map { "with file system \($0.rawValue)" } ?? "as a raw block device"); use it as such"
      )
    }
  }

  /// Absolute, without `.` and `..`, as mountinfo writes it.
  static func path(_ text: String, _ field: String) throws(RPCError) -> String {
    guard !text.isEmpty else { throw .missing(field) }
    guard text.utf8.count < 4096, text.utf8.first == UInt8(ascii: "/"), !text.utf8.contains(0) else {
      throw .invalid("\(field) must be an absolute path of less than 4096 bytes")
    }
    // By bytes, as the kernel does: a combining mark after a slash would hide it from `Character`s.
    let parts = text.utf8.split(separator: UInt8(ascii: "/")).compactMap { String($0) }
    guard !parts.isEmpty, !parts.contains(where: { $0 == "." || $0 == ".." }) else {
      throw .invalid("\(field) must not be / and must not contain . or ..")
    }
    return "/" + parts.joined(separator: "/")
  }

  private static func parent(of path: String) -> String {
    let parts = path.utf8.split(separator: UInt8(ascii: "/")).dropLast().compactMap { String($0) }
    return "/" + parts.joined(separator: "/")
  }

  private static func pathNotFound(_ path: String, _ volume: String) -> RPCError {
    RPCError(code: .notFound, message: "volume \(volume) is not mounted at \(path); stage or publish it there first")
  }

  /// Where the volume is shown besides at `target` and where it is staged.
  private func publication(
    of volume: Volume, in pool: any VolumeBackend, besides target: String, _ staging: String
  ) async throws -> String? {
    let device = try await pool.attach(volume.name)
    let own = [target, staging.isEmpty ? target : try Self.path(staging, "staging_target_path")]
    return try Mounts.table().entries.first { mount in
      guard !own.contains(mount.mountPoint) else { return false }
      if volume.fileSystem != nil { return try Self.isMount(mount, ofDevice: device) }
      // A raw block volume is the device's node, bound to a file. Other mounts may hang when they are looked at.
      guard try mount.isOfDevices(), let node = try FileStatus(of: mount.mountPoint), node.kind == .blockDevice else {
        return false
      }
      return try node.specialDevice == FileStatus(of: device)?.specialDevice
    }?.mountPoint
  }

  private static func isMount(_ mount: MountEntry, ofDevice device: String) throws -> Bool {
    guard let status = try FileStatus(of: device) else { return false }
    let number = DeviceNumber(status.specialDevice)
    return mount.major == number.major && mount.minor == number.minor
  }

  /// Every mount at the path: calls repeated by others may have stacked several.
  private func unmountAll(_ path: String) throws {
    for _ in 0..<64 {
      guard try Mounts.table().top(at: path) != nil else { return }
      do throws(SystemError) { try Mounts.unmount(path) } catch {
        guard error.errno == EBUSY else { throw error }
        throw RPCError(code: .failedPrecondition, message: "\(path) is in use by a process; end it first")
      }
    }
  }

  /// A new file system's root belongs to root alone; containers with any user shall be able to write.
  /// Once something is in it, its rights are the user's affair.
  private static func openFreshRoot(_ path: String) throws {
    guard try Directory.names(in: path).allSatisfy({ $0 == "lost+found" }) else { return }
    guard chmod(path, 0o2777) == 0 else { throw SystemError("chmod", path, errno: errno) }
  }
}
