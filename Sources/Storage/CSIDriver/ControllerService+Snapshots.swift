import CSI
import GRPCCore
import SwiftProtobuf
import VolumePools

/// Takes, lists and removes snapshots, and finds what new volumes begin with.
extension ControllerService {
  func createSnapshot(request: Csi_V1_CreateSnapshotRequest, context: ServerContext) async throws
    -> Csi_V1_CreateSnapshotResponse
  {
    try await answering {
      guard !request.name.isEmpty else { throw RPCError.missing("name") }
      guard !request.sourceVolumeID.isEmpty else { throw RPCError.missing("source_volume_id") }
      // Who asks adds names of its own objects.
      if let key = request.parameters.keys.sorted().first(where: { !$0.hasPrefix("csi.storage.k8s.io/") }) {
        throw RPCError.invalid("parameter \"\(key.prefix(128))\" is not known; snapshots have none: leave it out")
      }
      if let (_, snapshot) = await configuration.findSnapshot(request.name) {
        guard snapshot.volume == request.sourceVolumeID else {
          throw VolumeError.snapshotConflict(snapshot: snapshot.name, reason: "of volume \(snapshot.volume)")
        }
        return .with { $0.snapshot = Self.describe(snapshot) }
      }
      guard let (pool, volume) = await configuration.find(request.sourceVolumeID) else {
        throw RPCError.volumeNotFound(request.sourceVolumeID)
      }
      let snapshot = try await pool.createSnapshot(request.name, of: volume.name)
      return .with { $0.snapshot = Self.describe(snapshot) }
    }
  }

  func deleteSnapshot(request: Csi_V1_DeleteSnapshotRequest, context: ServerContext) async throws
    -> Csi_V1_DeleteSnapshotResponse
  {
    try await answering {
      guard !request.snapshotID.isEmpty else { throw RPCError.missing("snapshot_id") }
      // Every pool is asked: a deletion that failed half-way is no longer listed but must be finished.
      let found = await configuration.findSnapshot(request.snapshotID).map { [$0.pool] }
      for pool in found ?? Array(configuration.pools.values) { try await pool.deleteSnapshot(request.snapshotID) }
      return Csi_V1_DeleteSnapshotResponse()
    }
  }

  func listSnapshots(request: Csi_V1_ListSnapshotsRequest, context: ServerContext) async throws
    -> Csi_V1_ListSnapshotsResponse
  {
    try await answering {
      var snapshots: [VolumeSnapshot] = []
      for pool in configuration.pools.values { snapshots += await pool.snapshots() }
      if !request.snapshotID.isEmpty { snapshots.removeAll { $0.name != request.snapshotID } }
      if !request.sourceVolumeID.isEmpty { snapshots.removeAll { $0.volume != request.sourceVolumeID } }
      let page = try Page(of: snapshots, after: request.startingToken, atMost: request.maxEntries, name: \.name)
      return .with {
        $0.entries = page.entries.map { snapshot in .with { $0.snapshot = Self.describe(snapshot) } }
        $0.nextToken = page.nextToken
      }
    }
  }

  func getSnapshot(request: Csi_V1_GetSnapshotRequest, context: ServerContext) async throws
    -> Csi_V1_GetSnapshotResponse
  {
    try await answering {
      guard !request.snapshotID.isEmpty else { throw RPCError.missing("snapshot_id") }
      guard let (_, snapshot) = await configuration.findSnapshot(request.snapshotID) else {
        throw RPCError.snapshotNotFound(request.snapshotID)
      }
      return .with { $0.snapshot = Self.describe(snapshot) }
    }
  }

  // MARK: Sources

  /// What a new volume is to begin with, which must lie in its pool.
  func source(of request: Csi_V1_CreateVolumeRequest, in pool: any VolumeBackend) async throws(RPCError)
    -> VolumeSource?
  {
    guard request.hasVolumeContentSource else { return nil }
    let source: VolumeSource
    var owner: (any VolumeBackend)?
    switch request.volumeContentSource.type {
    case .snapshot(let snapshot):
      guard !snapshot.snapshotID.isEmpty else { throw .missing("volume_content_source.snapshot.snapshot_id") }
      source = .snapshot(snapshot.snapshotID)
      owner = await configuration.findSnapshot(snapshot.snapshotID)?.pool
    case .volume(let volume):
      guard !volume.volumeID.isEmpty else { throw .missing("volume_content_source.volume.volume_id") }
      source = .volume(volume.volumeID)
      owner = await configuration.find(volume.volumeID)?.pool
    case nil: throw .missing("volume_content_source.type (snapshot or volume)")
    }
    guard let owner else {
      // A volume that was made of it is still what was asked for.
      if await configuration.find(request.name)?.volume.source == source { return source }
      throw RPCError(mapping: VolumeError.sourceNotFound(volume: String(request.name.prefix(128)), source: source))
    }
    guard owner.poolName == pool.poolName else {
      throw RPCError(
        mapping: VolumeError.sourceUnfit(
          volume: String(request.name.prefix(128)), source: source,
          reason: "that lies in pool \(owner.poolName), pool \(pool.poolName) is asked for; take a class of that pool"))
    }
    return source
  }

  static func contentSource(_ source: VolumeSource) -> Csi_V1_VolumeContentSource {
    .with {
      switch source {
      case .snapshot(let name): $0.snapshot.snapshotID = name
      case .volume(let name): $0.volume.volumeID = name
      }
    }
  }

  private static func describe(_ snapshot: VolumeSnapshot) -> Csi_V1_Snapshot {
    .with {
      $0.snapshotID = snapshot.name
      $0.sourceVolumeID = snapshot.volume
      $0.sizeBytes = snapshot.bytes
      $0.creationTime = .with {
        $0.seconds = snapshot.takenAt / 1_000_000_000
        $0.nanos = Int32(clamping: snapshot.takenAt % 1_000_000_000)
      }
      // It is copied before it is told of.
      $0.readyToUse = true
    }
  }
}
