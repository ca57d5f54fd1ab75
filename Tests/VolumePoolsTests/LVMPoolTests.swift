import LinuxSystem
import Testing

@testable import VolumePools

extension LVMPlace: PoolPlace {
  func open(afterStep: (@Sendable (String) throws -> Void)?) async throws -> LVMPool {
    try await open { try afterStep?($0.rawValue) }
  }

  func remains() async throws -> [String] { try await volumes() }

  func shownDevices() async throws -> Int { try await volumes("lv_active").count }
}

/// Pools in LVM, thick and thin, do what every pool does (`PoolConformance`).
@Suite(.serialized, .enabled(if: Guest.isHere, "needs LVM: run in scripts/in-guest, by LVMGuestTests"))
struct LVMPoolTests {
  static let kinds: [LVMPool.Kind] = [.thick, .thin(pool: LVMPlace.thinPool)]

  @Test(arguments: zip(kinds, [FileSystemType.xfs, .ext4]))
  func `A volume lives, is a wall, and leaves nothing`(kind: LVMPool.Kind, type: FileSystemType) async throws {
    try await LVMPlace.with(kind) { try await $0.checkLife(type) }
  }

  @Test(arguments: zip(kinds, [FileSystemType.ext4, .xfs]))
  func `A volume grows and keeps its data`(kind: LVMPool.Kind, type: FileSystemType) async throws {
    try await LVMPlace.with(kind) { try await $0.checkGrowth(type) }
  }

  @Test(arguments: kinds)
  func `What others wrote is not formatted over`(kind: LVMPool.Kind) async throws {
    try await LVMPlace.with(kind) { try await $0.checkForeignData() }
  }

  @Test(arguments: kinds)
  func `A name is one volume`(kind: LVMPool.Kind) async throws {
    try await LVMPlace.with(kind) { try await $0.checkIdentity() }
  }

  @Test(arguments: kinds)
  func `All space can be had, and no more`(kind: LVMPool.Kind) async throws {
    try await LVMPlace.with(kind) { try await $0.checkSpace() }
  }

  @Test(arguments: kinds)
  func `A restart disturbs nobody, and a device that is open stays`(kind: LVMPool.Kind) async throws {
    try await LVMPlace.with(kind) { try await $0.checkRestartWhileMounted() }
  }

  @Test func `One process holds a pool`() async throws {
    try await LVMPlace.with { try await $0.checkOneProcess() }
  }

  @Test(arguments: [LVMPool.Step.createVolume, .createWipe, .createRecord])
  func `A crash while creating leaves nothing or a whole volume`(step: LVMPool.Step) async throws {
    try await LVMPlace.with { try await $0.checkCrash(creatingAfter: step.rawValue, survives: step == .createRecord) }
  }

  @Test(arguments: [LVMPool.Step.deleteIntent, .deleteDevice, .deleteVolume])
  func `A crash while deleting is followed by finishing it`(step: LVMPool.Step) async throws {
    try await LVMPlace.with { try await $0.checkCrash(deletingAfter: step.rawValue) }
  }

  /// The steps are the same in a thin pool; the commands are not.
  @Test func `A crash in a thin pool is mended, too`() async throws {
    let thin = LVMPool.Kind.thin(pool: LVMPlace.thinPool)
    try await LVMPlace.with(thin) { try await $0.checkCrash(creatingAfter: "createVolume", survives: false) }
    try await LVMPlace.with(thin) { try await $0.checkCrash(deletingAfter: "deleteDevice") }
    try await LVMPlace.with(thin) { try await $0.checkCrash(growingAfter: "expandIntent", fileSystem: .ext4) }
    try await LVMPlace.with(thin) { try await $0.checkCrash(formattingAfter: "formatDone") }
  }

  /// Without extents that are cleared first.
  @Test(arguments: [LVMPool.Step.expandIntent, .expandVolume])
  func `A crash while growing is followed by finishing it`(step: LVMPool.Step) async throws {
    try await LVMPlace.with { try await $0.checkCrash(growingAfter: step.rawValue, fileSystem: .ext4) }
  }

  @Test(arguments: [LVMPool.Step.expandIntent, .expandClean, .expandVolume, .expandRecord])
  func `A crash while a raw volume grows is followed by finishing it`(step: LVMPool.Step) async throws {
    try await LVMPlace.with { place in
      try await place.checkCrash(growingAfter: step.rawValue)
      #expect(try await place.volumes() == ["nagaya.data"])
    }
  }

  @Test(arguments: [LVMPool.Step.attachDevice, .formatIntent, .formatDone, .formatRecord])
  func `A crash while formatting leaks no device`(step: LVMPool.Step) async throws {
    try await LVMPlace.with { try await $0.checkCrash(formattingAfter: step.rawValue) }
  }
}
