import CSI
import GRPCCore
import LinuxSystem
import Testing
import VolumePools

@testable import CSIDriver

@Suite struct ControllerServiceTests {
  @Test func `The driver says who it is on a socket that only its owner may use`() async throws {
    try await Driver.with { driver in
      #expect(try await driver.identity.getPluginInfo(.init()).name == "local.nagaya.dev")
      #expect(try await driver.identity.probe(.init()).ready.value)
      #expect(try await driver.identity.getPluginCapabilities(.init()).capabilities.count == 4)
      let info = try await driver.node.nodeGetInfo(.init())
      #expect(info.nodeID == "node-1")
      #expect(info.accessibleTopology.segments == ["topology.local.nagaya.dev/node": "node-1"])
      #expect(try await Command.run("stat", ["-c", "%a %F", driver.socket]).standardOutput == "600 socket\n")
    }
  }

  @Test func `Creating is idempotent by name, and a different wish is refused`() async throws {
    try await Driver.with { driver in
      let volume = try await driver.create("pvc-1")
      #expect(volume.capacityBytes == 320 << 20)
      #expect(volume.accessibleTopology.first?.segments == ["topology.local.nagaya.dev/node": "node-1"])
      #expect(try await driver.create("pvc-1") == volume)
      #expect(await refusal { _ = try await driver.create("pvc-1", bytes: 400 << 20) } == .alreadyExists)
      #expect(await refusal { _ = try await driver.create("pvc-1", .mount("ext4")) } == .alreadyExists)
      try await driver.delete("pvc-1")
      try await driver.delete("pvc-1")
      try await driver.delete("../../etc")
      let left = try await driver.controller.listVolumes(.init()).entries
      #expect(left.isEmpty)
    }
  }

  @Test func `A volume larger than the pool is refused with what is there`() async throws {
    try await Driver.with(limitBytes: 1 << 30) { driver in
      let error = await #expect(throws: RPCError.self) { _ = try await driver.create("big", bytes: 2 << 30) }
      #expect(error?.code == .resourceExhausted)
      #expect(error?.message.contains("2147483648 bytes requested, 1073741824 bytes available in pool default") == true)
      let capacity = try await driver.controller.getCapacity(.init())
      #expect(capacity.availableCapacity == 1 << 30)
      #expect(capacity.maximumVolumeSize.value == 1 << 30)
      #expect(capacity.minimumVolumeSize.value == 300 << 20)
      let elsewhere = try await driver.controller.getCapacity(
        .with { $0.accessibleTopology.segments = ["topology.local.nagaya.dev/node": "other"] })
      #expect(elsewhere.availableCapacity == 0)
    }
  }

  @Test func `Speeds are parameters, and may change of a volume that is there`() async throws {
    try await Driver.with { driver in
      let fast = ["local.nagaya.dev/readBytesPerSecond": "20M"]
      var request = Csi_V1_CreateVolumeRequest()
      request.name = "pvc-1"
      request.volumeCapabilities = [.mount()]
      request.capacityRange.requiredBytes = 320 << 20
      request.parameters = ["local.nagaya.dev/pool": "default", "local.nagaya.dev/writeOperationsPerSecond": "100"]
      request.mutableParameters = fast
      let wanted = request
      _ = try await driver.controller.createVolume(wanted)
      func modify(_ id: String, _ parameters: [String: String]) async -> RPCError.Code? {
        await refusal {
          _ = try await driver.controller.controllerModifyVolume(
            .with {
              $0.volumeID = id
              $0.mutableParameters = parameters
            })
        }
      }
      #expect(await modify("pvc-1", fast) == nil)
      #expect(await modify("pvc-1", ["local.nagaya.dev/readBytesPerSecond": "0"]) == .invalidArgument)
      #expect(await modify("pvc-1", ["iops": "5"]) == .invalidArgument)
      #expect(await modify("pvc-2", fast) == .notFound)
      #expect(await modify("", fast) == .invalidArgument)
      let capabilities = try await driver.controller.controllerGetCapabilities(.init()).capabilities
      #expect(capabilities.contains { $0.rpc.type == .modifyVolume })
    }
  }

  @Test func `Bad requests are refused with the code of the specification`() async throws {
    try await Driver.with { driver in
      func create(_ change: (inout Csi_V1_CreateVolumeRequest) -> Void) async -> RPCError.Code? {
        var request = Csi_V1_CreateVolumeRequest()
        request.name = "v"
        request.volumeCapabilities = [.mount()]
        request.capacityRange.requiredBytes = 320 << 20
        change(&request)
        return await refusal { _ = try await driver.controller.createVolume(request) }
      }
      #expect(await create { $0.name = "" } == .invalidArgument)
      #expect(await create { $0.name = "../../etc/passwd" } == .invalidArgument)
      #expect(await create { $0.volumeCapabilities = [] } == .invalidArgument)
      #expect(await create { $0.volumeCapabilities = [.mount(mode: .multiNodeMultiWriter)] } == .invalidArgument)
      #expect(await create { $0.volumeCapabilities = [.mount("ntfs")] } == .invalidArgument)
      #expect(await create { $0.volumeCapabilities = [.mount(), .raw] } == .invalidArgument)
      #expect(await create { $0.parameters = ["unknown": "x"] } == .invalidArgument)
      #expect(await create { $0.parameters = ["local.nagaya.dev/pool": "none"] } == .invalidArgument)
      #expect(await create { $0.parameters = ["local.nagaya.dev/readBytesPerSecond": "fast"] } == .invalidArgument)
      #expect(await create { $0.mutableParameters = ["local.nagaya.dev/pool": "default"] } == .invalidArgument)
      #expect(await create { $0.capacityRange.requiredBytes = -1 } == .outOfRange)
      #expect(await create { $0.capacityRange.limitBytes = 1 << 20 } == .outOfRange)
      #expect(
        await create {
          $0.accessibilityRequirements.requisite = [
            .with { $0.segments = ["topology.local.nagaya.dev/node": "other"] }
          ]
        } == .resourceExhausted)
      #expect(await refusal { try await driver.delete("") } == .invalidArgument)
      #expect(
        await refusal { _ = try await driver.controller.listVolumes(.with { $0.startingToken = "x" }) } == .aborted)
      let left = try await driver.controller.listVolumes(.init()).entries
      #expect(left.isEmpty)
    }
  }

  @Test func `Volumes are listed in pages`() async throws {
    try await Driver.with { driver in
      for index in 0..<5 { _ = try await driver.create("v\(index)", bytes: 32 << 20, .mount("ext4")) }
      var names: [String] = []
      var token = ""
      repeat {
        let page = try await driver.controller.listVolumes(
          .with {
            $0.maxEntries = 2
            $0.startingToken = token
          })
        #expect(page.entries.count <= 2)
        names += page.entries.map(\.volume.volumeID)
        token = page.nextToken
      } while !token.isEmpty
      #expect(names == ["v0", "v1", "v2", "v3", "v4"])
      let validated = try await driver.controller.validateVolumeCapabilities(
        .with {
          $0.volumeID = "v0"
          $0.volumeCapabilities = [.mount("xfs")]
        })
      #expect(!validated.hasConfirmed && validated.message == "the volume holds ext4")
    }
  }
}
