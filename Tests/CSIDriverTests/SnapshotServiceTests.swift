import CSI
import GRPCCore
import LinuxSystem
import Testing
import VolumePools

@testable import CSIDriver

extension Driver {
  func snapshot(_ name: String, of volume: String) async throws -> Csi_V1_Snapshot {
    try await controller.createSnapshot(
      .with {
        $0.name = name
        $0.sourceVolumeID = volume
      }
    ).snapshot
  }

  func create(
    _ name: String, bytes: Int64 = 0, _ capability: Csi_V1_VolumeCapability = .mount(),
    from source: Csi_V1_VolumeContentSource
  ) async throws -> Csi_V1_Volume {
    try await controller.createVolume(
      .with {
        $0.name = name
        $0.capacityRange.requiredBytes = bytes
        $0.volumeCapabilities = [capability]
        $0.volumeContentSource = source
      }
    ).volume
  }

  func deleteSnapshot(_ id: String) async throws {
    _ = try await controller.deleteSnapshot(.with { $0.snapshotID = id })
  }

  /// A volume in use, its snapshot, what is restored from it beside it, and a clone, by the calls that a kubelet and the
  /// sidecars make.
  func checkSnapshots(_ type: String) async throws {
    _ = try await create("data", bytes: 320 << 20, .mount(type))
    try await stage("data", .mount(type))
    try await publish("data", .mount(type))
    try DurableFile.write([42], to: target("data") + "/answer")
    let snapshot = try await snapshot("snap", of: "data")
    #expect(snapshot.readyToUse && snapshot.sizeBytes == 320 << 20 && snapshot.sourceVolumeID == "data")
    #expect(snapshot.snapshotID == "snap" && snapshot.creationTime.seconds > 1 << 30)
    #expect(try await self.snapshot("snap", of: "data") == snapshot)
    try DurableFile.write([43], to: target("data") + "/answer")

    for (name, source, answer) in [
      ("restored", Csi_V1_VolumeContentSource.snapshot("snap"), UInt8(42)), ("clone", .volume("data"), 43),
    ] {
      let made = try await create(name, bytes: 384 << 20, .mount(type), from: source)
      #expect(made.capacityBytes == 384 << 20 && made.contentSource == source)
      #expect(try await create(name, bytes: 384 << 20, .mount(type), from: source) == made)
      try await stage(name, .mount(type))
      try await publish(name, .mount(type))
      #expect(try DurableFile.read(target(name) + "/answer") == [answer])
      #expect(try FileSystemUsage(of: target(name)).totalBytes > FileSystemUsage(of: target("data")).totalBytes)
    }
    let listed = try await controller.listVolumes(.init()).entries.map(\.volume)
    #expect(listed.filter(\.hasContentSource).map(\.volumeID) == ["clone", "restored"])
    for name in ["data", "restored", "clone"] {
      try await unpublish(name)
      try await unstage(name)
      try await delete(name)
    }
    let left = try await controller.listSnapshots(.init()).entries.map(\.snapshot)
    #expect(left == [snapshot])
    try await deleteSnapshot("snap")
    try await deleteSnapshot("snap")
  }
}

extension Csi_V1_VolumeContentSource {
  static func snapshot(_ id: String) -> Csi_V1_VolumeContentSource { .with { $0.snapshot.snapshotID = id } }
  static func volume(_ id: String) -> Csi_V1_VolumeContentSource { .with { $0.volume.volumeID = id } }
}

/// Snapshots and clones by the codes of the CSI specification.
@Suite struct SnapshotServiceTests {
  @Test(arguments: ["xfs", "ext4"])
  func `A snapshot is restored beside its source, and a volume is cloned`(type: String) async throws {
    try await Driver.with { driver in
      try await driver.checkSnapshots(type)
      #expect(try driver.devices() == 0)
      #expect(try Directory.names(in: driver.path + "/pool/snapshots").isEmpty)
      #expect(try Directory.names(in: driver.path + "/pool/volumes").isEmpty)
    }
  }

  @Test func `Capabilities say what is offered`() async throws {
    try await Driver.with { driver in
      let offered = Set(try await driver.controller.controllerGetCapabilities(.init()).capabilities.map(\.rpc.type))
      #expect(offered.isSuperset(of: [.createDeleteSnapshot, .listSnapshots, .getSnapshot, .cloneVolume]))
    }
  }

  @Test func `Bad requests are refused with the code of the specification`() async throws {
    try await Driver.with { driver in
      _ = try await driver.create("data", bytes: 64 << 20, .mount("ext4"))
      _ = try await driver.create("other", bytes: 64 << 20, .mount("ext4"))
      _ = try await driver.snapshot("snap", of: "data")
      func snapshot(_ name: String, _ volume: String, _ parameters: [String: String] = [:]) async -> RPCError.Code? {
        await refusal {
          _ = try await driver.controller.createSnapshot(
            .with {
              $0.name = name
              $0.sourceVolumeID = volume
              $0.parameters = parameters
            })
        }
      }
      #expect(await snapshot("", "data") == .invalidArgument)
      #expect(await snapshot("s", "") == .invalidArgument)
      #expect(await snapshot("s", "none") == .notFound)
      #expect(await snapshot("s", "../../etc") == .notFound)
      #expect(await snapshot("../../etc", "data") == .invalidArgument)
      #expect(await snapshot("schnappschuß", "data") == .invalidArgument)
      #expect(await snapshot(String(repeating: "s", count: 129), "data") == .invalidArgument)
      #expect(await snapshot("snap", "other") == .alreadyExists)
      #expect(await snapshot("s", "data", ["compression": "yes"]) == .invalidArgument)
      #expect(await snapshot("s", "data", ["csi.storage.k8s.io/volumesnapshot/name": "s"]) == nil)
      #expect(await refusal { try await driver.deleteSnapshot("") } == .invalidArgument)
      #expect(await refusal { try await driver.deleteSnapshot("../x") } == nil)
      func get(_ id: String) async -> RPCError.Code? {
        await refusal { _ = try await driver.controller.getSnapshot(.with { $0.snapshotID = id }) }
      }
      #expect(await get("") == .invalidArgument)
      #expect(await get("none") == .notFound)
      #expect(await get("snap") == nil)
      func volume(
        _ source: Csi_V1_VolumeContentSource, bytes: Int64 = 0, _ capability: Csi_V1_VolumeCapability = .mount("ext4")
      ) async -> RPCError.Code? {
        await refusal { _ = try await driver.create("v", bytes: bytes, capability, from: source) }
      }
      #expect(await volume(.init()) == .invalidArgument)
      #expect(await volume(.snapshot("")) == .invalidArgument)
      #expect(await volume(.volume("")) == .invalidArgument)
      #expect(await volume(.snapshot("none")) == .notFound)
      #expect(await volume(.volume("none")) == .notFound)
      #expect(await volume(.volume("snap")) == .notFound)
      #expect(await volume(.snapshot("snap"), bytes: 32 << 20) == .outOfRange)
      #expect(await volume(.snapshot("snap"), bytes: 1 << 40) == .resourceExhausted)
      #expect(await volume(.snapshot("snap"), .mount("xfs")) == .invalidArgument)
      #expect(await volume(.snapshot("snap"), .raw) == .invalidArgument)
      #expect(await volume(.snapshot("snap")) == nil)
      #expect(await volume(.volume("data")) == .alreadyExists)
      #expect(await refusal { _ = try await driver.create("data", from: .snapshot("snap")) } == .alreadyExists)
      // What was made of it stays what was asked for.
      try await driver.deleteSnapshot("snap")
      #expect(await volume(.snapshot("snap")) == nil)
      #expect(await refusal { _ = try await driver.create("w", .mount("ext4"), from: .snapshot("snap")) } == .notFound)
    }
  }

  @Test func `A full pool takes no snapshot, with the numbers`() async throws {
    try await Driver.with(limitBytes: 64 << 20) { driver in
      _ = try await driver.create("data", bytes: 64 << 20, .raw)
      try OpenFile(driver.path + "/pool/volumes/data.img", .readWrite).write([UInt8](repeating: 1, count: 8192))
      let error = await #expect(throws: RPCError.self) { _ = try await driver.snapshot("s", of: "data") }
      #expect(error?.code == .resourceExhausted)
      #expect(error?.message.contains("8192 bytes requested, 0 bytes available in pool default") == true)
      let left = try await driver.controller.listSnapshots(.init()).entries
      #expect(left.isEmpty)
    }
  }

  @Test func `Snapshots are listed in pages, by id and by volume`() async throws {
    try await Driver.with { driver in
      for volume in ["a", "b"] { _ = try await driver.create(volume, bytes: 32 << 20, .mount("ext4")) }
      for index in 0..<5 { _ = try await driver.snapshot("s\(index)", of: index == 3 ? "b" : "a") }
      func list(_ change: (inout Csi_V1_ListSnapshotsRequest) -> Void) async throws -> Csi_V1_ListSnapshotsResponse {
        var request = Csi_V1_ListSnapshotsRequest()
        change(&request)
        return try await driver.controller.listSnapshots(request)
      }
      var names: [String] = []
      var token = ""
      repeat {
        let page = try await list {
          $0.maxEntries = 2
          $0.startingToken = token
        }
        #expect(page.entries.count <= 2)
        names += page.entries.map(\.snapshot.snapshotID)
        token = page.nextToken
      } while !token.isEmpty
      #expect(names == ["s0", "s1", "s2", "s3", "s4"])
      let ofB = try await list { $0.sourceVolumeID = "b" }
      #expect(ofB.entries.map(\.snapshot.snapshotID) == ["s3"])
      let one = try await list { $0.snapshotID = "s1" }
      #expect(one.entries.map(\.snapshot.snapshotID) == ["s1"])
      let none = try await list { $0.snapshotID = "none" }
      #expect(none.entries.isEmpty && none.nextToken.isEmpty)
      #expect(await refusal { _ = try await list { $0.startingToken = "x" } } == .aborted)
      #expect(await refusal { _ = try await list { $0.maxEntries = -1 } } == .invalidArgument)
    }
  }
}
