import Testing

@testable import VolumePools

/// Volumes in LVM leave and come as those in files do (`PoolConformance+Moves`).
@Suite(.serialized, .enabled(if: Guest.isHere, "needs LVM: run in scripts/in-guest, by LVMGuestTests"))
struct LVMMoveTests {
  @Test(arguments: LVMPoolTests.kinds)
  func `A volume that leaves is used by nobody`(kind: LVMPool.Kind) async throws {
    try await LVMPlace.with(kind) { try await $0.checkSealing() }
  }

  @Test(arguments: LVMPoolTests.kinds)
  func `A volume that comes is told of when it is whole`(kind: LVMPool.Kind) async throws {
    try await LVMPlace.with(kind) { try await $0.checkReceiving(crashesAfter: ["createVolume"]) }
  }
}
