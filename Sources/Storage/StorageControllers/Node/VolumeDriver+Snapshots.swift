import BoundedNumbers
import CSI
import GRPCCore

extension VolumeDriver {
  struct Snapshot: Sendable {
    var id: String
    /// What a volume made from it has at least.
    var bytes: Int64
    /// Nanoseconds since 1970.
    var takenAt: Int64

    init(_ snapshot: Csi_V1_Snapshot) {
      id = snapshot.snapshotID
      bytes = max(0, snapshot.sizeBytes)
      takenAt = snapshot.creationTime.seconds.clampedMultiplying(by: 1_000_000_000)
        .clampedAdding(Int64(snapshot.creationTime.nanos))
    }
  }

  func takeSnapshot(_ name: String, of volume: String) async throws(Refusal) -> Snapshot {
    var request = Csi_V1_CreateSnapshotRequest()
    request.name = name
    request.sourceVolumeID = volume
    let answer = try await call { try await controller.createSnapshot(request, options: Self.options) }
    guard answer.snapshot.readyToUse else {
      throw Refusal(kind: .passing, description: "snapshot \(name) is taken, but not ready to use yet")
    }
    return Snapshot(answer.snapshot)
  }

  func deleteSnapshot(_ id: String) async throws(Refusal) {
    var request = Csi_V1_DeleteSnapshotRequest()
    request.snapshotID = id
    _ = try await call { try await controller.deleteSnapshot(request, options: Self.options) }
  }

  /// - Returns: `nil` if the driver has none of that name.
  func snapshot(_ id: String) async throws(Refusal) -> Snapshot? {
    var request = Csi_V1_ListSnapshotsRequest()
    request.snapshotID = id
    let answer = try await call { try await controller.listSnapshots(request, options: Self.options) }
    return answer.entries.first.map { Snapshot($0.snapshot) }
  }

  /// Every snapshot that the driver keeps, by its id.
  func snapshots() async throws(Refusal) -> Set<String> {
    var found: Set<String> = []
    var request = Csi_V1_ListSnapshotsRequest()
    repeat {
      let page = request
      let answer = try await call { try await controller.listSnapshots(page, options: Self.options) }
      found.formUnion(answer.entries.map(\.snapshot.snapshotID))
      request.startingToken = answer.nextToken
    } while !request.startingToken.isEmpty
    return found
  }
}
