import CSI
import GRPCCore
import LinuxSystem
import Testing
import VolumePools

@testable import CSIDriver

@Suite struct NodeServiceTests {
  @Test func `A volume is staged, published, measured, grown under way, and taken back`() async throws {
    try await Driver.with { driver in
      _ = try await driver.create("data")
      try await driver.stage("data")
      try await driver.stage("data")
      try await driver.publish("data")
      try await driver.publish("data")
      try DurableFile.write([42], to: driver.target("data") + "/answer")
      #expect(try Mounts.table().mounts(under: driver.path).count == 2)
      #expect(await refusal { try await driver.delete("data") } == .failedPrecondition)

      let expanded = try await driver.controller.controllerExpandVolume(
        .with {
          $0.volumeID = "data"
          $0.capacityRange.requiredBytes = 640 << 20
        })
      #expect(expanded.nodeExpansionRequired)
      let grown = try await driver.node.nodeExpandVolume(
        .with {
          $0.volumeID = "data"
          $0.volumePath = driver.target("data")
        })
      #expect(grown.capacityBytes == 640 << 20)
      let stats = try await driver.node.nodeGetVolumeStats(
        .with {
          $0.volumeID = "data"
          $0.volumePath = driver.target("data")
        })
      let bytes = try #require(stats.usage.first { $0.unit == .bytes })
      #expect(bytes.total > 500 << 20)
      #expect(stats.usage.contains { $0.unit == .inodes && $0.used > 0 })
      #expect(!stats.volumeCondition.abnormal)

      try await driver.unpublish("data")
      try await driver.unpublish("data")
      try await driver.unstage("data")
      try await driver.unstage("data")
      #expect(try Mounts.table().mounts(under: driver.path).isEmpty)
      #expect(try driver.devices() == 0)

      try await driver.stage("data")
      try await driver.publish("data", readOnly: true)
      #expect(try DurableFile.read(driver.target("data") + "/answer") == [42])
      #expect(throws: SystemError.self) { try DurableFile.write([1], to: driver.target("data") + "/no") }
      #expect(await refusal { try await driver.publish("data") } == .alreadyExists)
      try await driver.unpublish("data")
      try await driver.unstage("data")
      try await driver.delete("data")
    }
  }

  @Test func `A raw block volume is the device itself`() async throws {
    try await Driver.with { driver in
      _ = try await driver.create("raw", bytes: 64 << 20, .raw)
      try await driver.stage("raw", .raw)
      try await driver.publish("raw", .raw)
      #expect(try FileStatus(of: driver.target("raw"))?.kind == .blockDevice)
      let device = try OpenFile(driver.target("raw"), .readWrite)
      try device.write(Array("raw bytes".utf8), at: 4096)
      #expect(try device.read(limit: 9, at: 4096) == Array("raw bytes".utf8))
      let stats = try await driver.node.nodeGetVolumeStats(
        .with {
          $0.volumeID = "raw"
          $0.volumePath = driver.target("raw")
        })
      #expect(stats.usage.first?.total == 64 << 20)
      _ = consume device
      #expect(await refusal { try await driver.delete("raw") } == .failedPrecondition)
      try await driver.unpublish("raw")
      try await driver.unstage("raw")
      #expect(try FileStatus(of: driver.target("raw")) == nil)
      try await driver.delete("raw")
      #expect(try driver.devices() == 0)
    }
  }

  @Test(arguments: [false, true]) func `A volume for a single writer is published once`(isRaw: Bool) async throws {
    try await Driver.with { driver in
      func capability(_ mode: Csi_V1_VolumeCapability.AccessMode.Mode) -> Csi_V1_VolumeCapability {
        isRaw ? .raw(mode) : .mount(mode: mode)
      }
      let second = driver.path + "/target/second"
      _ = try await driver.create("data", capability(.singleNodeSingleWriter))
      try await driver.stage("data", capability(.singleNodeSingleWriter))
      try await driver.publish("data", capability(.singleNodeSingleWriter))
      try await driver.publish("data", capability(.singleNodeSingleWriter))
      #expect(
        await refusal { try await driver.publish("data", at: second, capability(.singleNodeSingleWriter)) }
          == .failedPrecondition)
      #expect(try FileStatus(of: second) == nil)
      // Who asks for several writers on the node gets them.
      try await driver.publish("data", at: second, capability(.singleNodeMultiWriter))
      _ = try await driver.node.nodeUnpublishVolume(
        .with {
          $0.volumeID = "data"
          $0.targetPath = second
        })
      try await driver.unpublish("data")
      try await driver.publish("data", at: second, capability(.singleNodeSingleWriter))
      _ = try await driver.node.nodeUnpublishVolume(
        .with {
          $0.volumeID = "data"
          $0.targetPath = second
        })
      try await driver.unstage("data")
      try await driver.delete("data")
    }
  }

  @Test func `Calls that cannot be are refused with the code of the specification`() async throws {
    try await Driver.with { driver in
      #expect(await refusal { try await driver.stage("none") } == .notFound)
      #expect(await refusal { try await driver.stage("") } == .invalidArgument)
      _ = try await driver.create("data")
      #expect(await refusal { try await driver.publish("data") } == .failedPrecondition)
      #expect(await refusal { try await driver.stage("data", .raw) } == .failedPrecondition)
      #expect(await refusal { try await driver.stage("data", .mount(mode: .multiNodeReaderOnly)) } == .invalidArgument)
      for path in ["", "relative", "/", "/a/../b", "/a/./b"] {
        #expect(
          await refusal {
            _ = try await driver.node.nodeStageVolume(
              .with {
                $0.volumeID = "data"
                $0.stagingTargetPath = path
                $0.volumeCapability = .mount()
              })
          } == .invalidArgument)
      }
      #expect(
        await refusal {
          _ = try await driver.node.nodeGetVolumeStats(
            .with {
              $0.volumeID = "data"
              $0.volumePath = "/nowhere"
            })
        } == .notFound)
      // A volume that is not there is told before what is wrong with the path, a path that is left out before both.
      for (path, code) in [("some/path", RPCError.Code.notFound), ("", .invalidArgument)] {
        #expect(
          await refusal {
            _ = try await driver.node.nodeGetVolumeStats(
              .with {
                $0.volumeID = "none"
                $0.volumePath = path
              })
          } == code)
        #expect(
          await refusal {
            _ = try await driver.node.nodeExpandVolume(
              .with {
                $0.volumeID = "none"
                $0.volumePath = path
              })
          } == code)
      }
    }
  }

  @Test func `Many calls for the same volume at once end in one mount`() async throws {
    try await Driver.with { driver in
      _ = try await driver.create("data", bytes: 64 << 20, .mount("ext4"))
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<8 {
          group.addTask {
            try await driver.stage("data", .mount("ext4"))
            try await driver.publish("data", .mount("ext4"))
          }
        }
        try await group.waitForAll()
      }
      #expect(try Mounts.table().mounts(under: driver.path).count == 2)
      #expect(try driver.devices() == 1)
      try await driver.unpublish("data")
      try await driver.unstage("data")
    }
  }

  @Test func `Secrets do not reach messages`() async throws {
    try await Driver.with { driver in
      let error = await #expect(throws: RPCError.self) {
        _ = try await driver.controller.createVolume(
          .with {
            $0.name = "v"
            $0.secrets = ["password": "tr0ub4dor"]
            $0.parameters = ["unknown": "x"]
            $0.volumeCapabilities = [.mount()]
          })
      }
      #expect(error?.message.contains("tr0ub4dor") == false)
    }
  }
}
