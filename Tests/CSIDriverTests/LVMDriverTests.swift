import CSI
import GRPCCore
import Glibc
import LinuxSystem
import Testing
import VolumePools

@testable import CSIDriver

/// The driver over pools in LVM, from making a volume to deleting it.
@Suite(
  .serialized,
  .enabled(if: getenv("NAGAYA_GUEST") != nil, "needs LVM: run in scripts/in-guest, by VolumePoolsTests.LVMGuestTests"))
struct LVMDriverTests {
  private static let group = "driver-group"

  /// A driver over a fresh group on the guest's first disk, and over a thin pool of 1 GiB in it if wanted.
  static func with(thin: Bool, _ body: @Sendable (Driver) async throws -> Void) async throws {
    // The group of VolumePools' tests, which may have run before.
    _ = try? await Command.run("vgremove", ["-q", "-ff", "-y", "test-group"])
    try await Command.run("vgcreate", ["-q", "-y", group, "/dev/ubda"])
    if thin { try await Command.run("lvcreate", ["-q", "-y", "--type", "thin-pool", "-n", "t", "-L", "2G", group]) }
    do {
      try await Driver.with(
        pool: { path, logger in
          try await LVMPool.open(
            LVMPool.Configuration(
              name: "fast", group: group, kind: thin ? .thin(pool: "t") : .thick, lockDirectory: path + "/locks"),
            logger: logger)
        }, body)
    } catch {
      _ = try? await Command.run("vgremove", ["-q", "-ff", "-y", group])
      throw error
    }
    try await Command.run("vgremove", ["-q", "-ff", "-y", group])
  }

  static func volumes() async throws -> String {
    try await Command.run("lvs", ["--noheadings", "-o", "lv_name", "-S", "lv_name=~nagaya", group]).standardOutput
  }

  @Test(arguments: zip([false, true], ["xfs", "ext4"]))
  func `A volume is made, staged, published, grown under way, and deleted`(thin: Bool, type: String) async throws {
    try await Self.with(thin: thin) { driver in
      let made = try await driver.create("data", bytes: 320 << 20, .mount(type))
      #expect(made.capacityBytes == 320 << 20)
      #expect(made.volumeContext == ["local.nagaya.dev/pool": "fast"])
      try await driver.stage("data", .mount(type))
      try await driver.stage("data", .mount(type))
      try await driver.publish("data", .mount(type))
      try DurableFile.write([42], to: driver.target("data") + "/answer")
      let before = try FileSystemUsage(of: driver.target("data")).totalBytes
      #expect(await refusal { try await driver.delete("data") } == .failedPrecondition)

      let expanded = try await driver.controller.controllerExpandVolume(
        .with {
          $0.volumeID = "data"
          $0.capacityRange.requiredBytes = 640 << 20
        })
      #expect(expanded.capacityBytes == 640 << 20 && expanded.nodeExpansionRequired)
      _ = try await driver.node.nodeExpandVolume(
        .with {
          $0.volumeID = "data"
          $0.volumePath = driver.target("data")
        })
      #expect(try FileSystemUsage(of: driver.target("data")).totalBytes > before + 250 << 20)

      let capacity = try await driver.controller.getCapacity(
        .with { $0.parameters = ["local.nagaya.dev/pool": "fast"] })
      let error = await #expect(throws: RPCError.self) { _ = try await driver.create("big", bytes: 8 << 30) }
      #expect(error?.code == .resourceExhausted)
      #expect(
        error?.message.contains("\(8 << 30) bytes requested, \(capacity.availableCapacity) bytes available") == true)

      try await driver.unpublish("data")
      try await driver.unstage("data")
      try await driver.stage("data", .mount(type))
      try await driver.publish("data", readOnly: true, .mount(type))
      #expect(try DurableFile.read(driver.target("data") + "/answer") == [42])
      try await driver.unpublish("data")
      try await driver.unstage("data")
      #expect(try Mounts.table().mounts(under: driver.path).isEmpty)
      try await driver.delete("data")
      try await driver.delete("data")
      #expect(try await Self.volumes().isEmpty)
    }
  }

  @Test func `A raw volume is the device itself and cannot be taken away under its user`() async throws {
    try await Self.with(thin: false) { driver in
      _ = try await driver.create("raw", bytes: 64 << 20, .raw)
      try await driver.stage("raw", .raw)
      try await driver.publish("raw", .raw)
      #expect(try FileStatus(of: driver.target("raw"))?.kind == .blockDevice)
      try OpenFile(driver.target("raw"), .readWrite).write(Array("raw bytes".utf8), at: 4096)
      #expect(await refusal { try await driver.delete("raw") } == .failedPrecondition)
      try await driver.unpublish("raw")
      try await driver.unstage("raw")
      try await driver.delete("raw")
      #expect(try await Self.volumes().isEmpty)
    }
  }
}

@Suite(
  .serialized,
  .enabled(if: getenv("NAGAYA_GUEST") != nil, "needs LVM: run in scripts/in-guest, by VolumePoolsTests.LVMGuestTests"))
struct LVMDriverSnapshotTests {
  @Test(arguments: zip([false, true], ["xfs", "ext4"]))
  func `A snapshot is restored beside its source, and a volume is cloned`(thin: Bool, type: String) async throws {
    try await LVMDriverTests.with(thin: thin) { driver in
      try await driver.checkSnapshots(type)
      #expect(try await LVMDriverTests.volumes().isEmpty)
    }
  }
}
