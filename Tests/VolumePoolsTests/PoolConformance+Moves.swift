import LinuxSystem
import Testing

@testable import VolumePools

extension PoolPlace {
  /// A volume that leaves: nobody begins to use it, also after a restart, until it is given free again.
  func checkSealing() async throws {
    try await life { try await seal($0) }
    try await life { pool in
      try await expectSealed(pool)
      try await pool.unseal("data")
      try await pool.unseal("data")
      _ = try await pool.attach("data")
      try await pool.detach("data")
      #expect(try await pool.movingVolumes().isEmpty)
      try await pool.delete("data")
      #expect(try await remains().isEmpty)
    }
  }

  private func seal(_ pool: Pool) async throws {
    _ = try await pool.create(VolumeRequest(name: "data", bytes: 320 << 20, fileSystem: .xfs))
    let device = try await pool.attach("data")
    try await pool.prepareFileSystem("data")
    let target = path + "/mnt"
    try Directory.make(target)
    try Mounts.mount(device, at: target, type: "xfs")
    await #expect(throws: VolumeError.self) { try await pool.seal("data") }
    // It can be read while it is in use, and nobody waits for who reads.
    do {
      let contents = try await pool.lendContents(of: "data", writing: false)
      #expect(try contents.data(from: 0)?.lowerBound == 0)
      try Mounts.unmount(target)
      try await pool.detach("data")
    }
    await pool.returnContents(of: "data")
    try await eventuallySealed(pool)
    let traits = try await pool.traits(of: "data")
    #expect(traits.isFormatted)
    #expect(traits.fileSystemBytes == 320 << 20)
    try await expectSealed(pool)
    #expect(try await shownDevices() == 0)
  }

  private func expectSealed(_ pool: Pool) async throws {
    #expect(try await pool.movingVolumes() == ["data": .sealed])
    #expect(await pool.volume("data")?.bytes == 320 << 20)
    await #expect(throws: VolumeError.moving(volume: "data")) { _ = try await pool.attach("data") }
    await #expect(throws: VolumeError.moving(volume: "data")) { try await pool.prepareFileSystem("data") }
    await #expect(throws: VolumeError.moving(volume: "data")) {
      _ = try await pool.expand("data", to: 400 << 20, limitBytes: 0)
    }
    try await pool.seal("data")
  }

  /// A volume that comes: nobody is told of it before it is whole, its room is taken at once, and it may be given up.
  /// - Parameter steps: of its making, after each of which a crash is followed by beginning anew.
  func checkReceiving(crashesAfter steps: [String]) async throws {
    let traits = VolumeTraits(
      bytes: 320 << 20, fileSystem: .xfs, isFormatted: true, fileSystemBytes: 320 << 20, parameters: ["pool": "default"]
    )
    for step in steps {
      try await crash(receiving: traits, after: step)
      try await life { pool in
        #expect(await pool.volume("data") == nil)
        try await pool.receive("data", traits)
        #expect(try await pool.movingVolumes() == ["data": .receiving])
        try await pool.delete("data")
        #expect(try await remains().isEmpty)
      }
    }
    try await life { try await receive(traits, $0) }
    try await life { pool in
      #expect(try await pool.movingVolumes() == ["data": .receiving])
      try await pool.completeReceiving("data", traits)
      try await pool.completeReceiving("data", traits)
      await #expect(throws: VolumeError.self) { _ = try await pool.lendContents(of: "data", writing: true) }
      #expect(try await pool.traits(of: "data") == traits)
      await #expect(throws: VolumeError.moving(volume: "data")) { _ = try await pool.attach("data") }
      try await pool.unseal("data")
      let device = try await pool.attach("data")
      func bytes(_ offset: Int64) throws -> [UInt8] { try OpenFile(device, .read).read(limit: 8192, at: offset) }
      #expect(try bytes(1 << 20) == [UInt8](repeating: 5, count: 4096) + [UInt8](repeating: 0, count: 4096))
      #expect(try bytes(320 << 20 - 8192) == [UInt8](repeating: 5, count: 8192))
      try await pool.detach("data")
      try await pool.delete("data")
      #expect(try await remains().isEmpty)
    }
  }

  private func crash(receiving traits: VolumeTraits, after step: String) async throws {
    let point = NamedCrashPoint(step)
    let pool = try await open { try point.reached($0) }
    await #expect(throws: NamedCrashPoint.Crash.self) { try await pool.receive("data", traits) }
    #expect(point.fired)
  }

  private func receive(_ traits: VolumeTraits, _ pool: Pool) async throws {
    let before = try await pool.capacity(for: .xfs).availableBytes
    try await pool.receive("data", traits)
    try await pool.receive("data", traits)
    #expect(try await pool.capacity(for: .xfs).availableBytes <= before - 320 << 20)
    #expect(await pool.volumes().isEmpty)
    await #expect(throws: VolumeError.moving(volume: "data")) {
      _ = try await pool.create(VolumeRequest(name: "data", bytes: 320 << 20, fileSystem: .xfs))
    }
    await #expect(throws: VolumeError.notFound(volume: "data")) { _ = try await pool.attach("data") }
    await #expect(throws: VolumeError.self) { _ = try await pool.lendContents(of: "data", writing: false) }
    do {
      let contents = try await pool.lendContents(of: "data", writing: true)
      try contents.write([UInt8](repeating: 5, count: 8192), at: 1 << 20)
      try contents.write([UInt8](repeating: 5, count: 8192), at: 320 << 20 - 8192)
      try contents.zero(at: 1 << 20 + 4096, count: 4096)
      try contents.sync()
    }
    await pool.returnContents(of: "data")
  }

  /// A process's life with the pool: the next one opens it anew.
  private func life(_ body: (Pool) async throws -> Void) async throws { try await body(try await open(afterStep: nil)) }

  private func eventuallySealed(_ pool: Pool) async throws {
    // udev looks at each device that changes, for a moment.
    for _ in 0..<100 {
      do { return try await pool.seal("data") } catch VolumeError.inUse { try await Task.sleep(for: .milliseconds(50)) }
    }
    try await pool.seal("data")
  }
}
