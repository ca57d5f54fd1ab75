import Foundation
import LinuxSystem
import Locking
import Logging
import NIOCore
import NIOPosix
import TestSupport
import Testing
import VolumePools

@testable import VolumeTransfer

/// Copies between two pools of one machine, over TLS on the loopback.
@Suite struct TransferTests {
  /// Two pools in files, the target's receiver and the source's sender.
  struct Ends: Sendable {
    let directory: String
    let source: FilePool
    let target: FilePool
    let receiver: TransferReceiver
    let sender: TransferSender
    let identity: TransferIdentity

    static let volume = "pvc-1"

    /// Both know each other, and a volume of 64 MiB waits on the source.
    static func with(_ body: @Sendable (Ends) async throws -> Void) async throws {
      let directory = "/tmp/nagaya-transfer-\(UInt64.random(in: 0 ... .max))"
      defer { try? FileManager.default.removeItem(atPath: directory) }
      let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
      func pool(_ name: String) async throws -> FilePool {
        try FileManager.default.createDirectory(atPath: "\(directory)/\(name)", withIntermediateDirectories: true)
        return try await FilePool.open(
          .init(name: "default", directory: "\(directory)/\(name)", limitBytes: 4 << 30, reservedBytes: 0),
          logger: logger)
      }
      let identity = try TransferIdentity()
      let ends = Ends(
        directory: directory, source: try await pool("source"), target: try await pool("target"),
        receiver: TransferReceiver(identity: try TransferIdentity(), host: "127.0.0.1", port: 0, logger: logger),
        sender: TransferSender(identity: identity), identity: identity)
      _ = try await ends.source.create(VolumeRequest(name: volume, bytes: 64 << 20, parameters: ["pool": "default"]))
      try await ends.target.receive(volume, try await ends.source.traits(of: volume))
      try await body(ends)
      await ends.receiver.forget(move: "move")
    }

    func file(_ side: String) -> String { "\(directory)/\(side)/volumes/\(Self.volume).img" }

    func target(from fingerprint: String? = nil) async throws -> TransferTarget {
      let port = try await receiver.expect(
        move: "move", volume: Self.volume, from: fingerprint ?? identity.fingerprint, into: target)
      return TransferTarget(address: "127.0.0.1:\(port)", fingerprint: receiver.identity.fingerprint)
    }

    func send(last: Bool, to target: TransferTarget, bytesPerSecond: Int64? = nil) async throws -> TransferProgress {
      try await sender.send(
        TransferRound(move: "move", volume: Self.volume, isLast: last, bytesPerSecond: bytesPerSecond), from: source,
        to: target)
    }

    /// Writes into the source as its user would.
    func write(_ bytes: [UInt8], at offset: Int64) throws {
      try OpenFile(file("source"), .readWrite).write(bytes, at: offset)
    }

    func areEqual() throws -> Bool {
      FileManager.default.contentsEqual(atPath: file("source"), andPath: file("target"))
    }
  }

  private func noise(_ count: Int, seed: UInt64) -> [UInt8] {
    var generator = SeededGenerator(seed: seed)
    return (0..<count).map { _ in UInt8.random(in: 1...255, using: &generator) }
  }

  @Test func `a volume is copied in rounds, each sends what changed, and the copy is served when it is unsealed`()
    async throws
  {
    try await Ends.with { ends in
      try ends.write(noise(3 << 20, seed: 1), at: 1 << 20)
      try ends.write(noise(100, seed: 2), at: 50 << 20)
      let target = try await ends.target()
      let first = try await ends.send(last: false, to: target)
      #expect(first.sentBytes == 13 * 256 << 10)
      #expect(try await ends.send(last: false, to: target).sentBytes == 0)
      #expect(await ends.target.volume(Ends.volume) == nil, "it is not whole")
      // Changes while it is in use: other bytes, new ones, zeros where there were some.
      try ends.write(noise(5000, seed: 3), at: 2 << 20)
      try ends.write([UInt8](repeating: 0, count: 256 << 10), at: 1 << 20)
      try ends.write(noise(10, seed: 4), at: 64 << 20 - 10)
      await #expect(throws: VolumeError.moving(volume: Ends.volume)) {
        try await ends.source.seal(Ends.volume)
        _ = try await ends.source.attach(Ends.volume)
      }
      let last = try await ends.send(last: true, to: target)
      #expect(last.sentBytes == 2 * 256 << 10)
      #expect(last.checksum?.count == 64)
      #expect(try ends.areEqual())
      // Nobody heard that it is whole: it is asked again.
      #expect(try await ends.send(last: true, to: target).checksum == last.checksum)
      await #expect(throws: VolumeError.moving(volume: Ends.volume)) {
        _ = try await ends.target.attach(Ends.volume)
      }
      try await ends.target.unseal(Ends.volume)
      let volume = try #require(await ends.target.volume(Ends.volume))
      #expect(volume.bytes == 64 << 20)
      #expect(volume.parameters == ["pool": "default"])
      _ = try await ends.target.attach(Ends.volume)
      try await ends.target.detach(Ends.volume)
      try await ends.source.delete(Ends.volume)
    }
  }

  @Test func `only what differs is sent after a round that was cut off`() async throws {
    try await Ends.with { ends in
      try ends.write(noise(16 << 20, seed: 5), at: 0)
      let target = try await ends.target()
      let cut = Task { try await ends.send(last: false, to: target, bytesPerSecond: 8 << 20) }
      try await eventually("a part is there") {
        (try FileStatus(of: ends.file("target"))?.allocatedBytes ?? 0) > 2 << 20
      }
      cut.cancel()
      _ = try? await cut.value
      let rest = try await ends.send(last: true, to: target)
      #expect(rest.sentBytes < 15 << 20)
      #expect(try ends.areEqual())
    }
  }

  @Test func `whoever is not expected is refused, and sees nothing`() async throws {
    try await Ends.with { ends in
      let target = try await ends.target()
      // Another key than the one that is expected.
      let stranger = TransferSender(identity: try TransferIdentity())
      let round = TransferRound(move: "move", volume: Ends.volume, isLast: true)
      await #expect(throws: TransferError.self) { try await stranger.send(round, from: ends.source, to: target) }
      // A target that is another one than the object says.
      await #expect(throws: TransferError.self) {
        try await ends.sender.send(
          round, from: ends.source,
          to: TransferTarget(address: target.address, fingerprint: String(repeating: "0", count: 64)))
      }
      // The right key, but another move, or another volume.
      await #expect(throws: TransferError.self) {
        try await ends.sender.send(
          TransferRound(move: "other", volume: Ends.volume, isLast: true), from: ends.source, to: target)
      }
      _ = try await ends.source.create(VolumeRequest(name: "pvc-2", bytes: 64 << 20))
      await #expect(throws: TransferError.self) {
        try await ends.sender.send(
          TransferRound(move: "move", volume: "pvc-2", isLast: true), from: ends.source, to: target)
      }
      #expect(try await ends.target.movingVolumes() == [Ends.volume: .receiving])
      // And it still works for the right one.
      _ = try await ends.send(last: true, to: target)
    }
  }

  @Test func `a copy that changes behind its back is found out before it is called whole`() async throws {
    try await Ends.with { ends in
      try ends.write(noise(1 << 20, seed: 6), at: 0)
      let target = try await ends.target()
      _ = try await ends.send(last: true, to: target)
      try OpenFile(ends.file("target"), .readWrite).write([1, 2, 3], at: 5000)
      await #expect(throws: TransferError.self) { _ = try await ends.send(last: true, to: target) }
    }
  }

  @Test func `connections that wait when the listener ends, end with it`() async throws {
    try await Ends.with { ends in
      for _ in 0..<30 {
        let port = try await ends.receiver.expect(
          move: "move", volume: Ends.volume, from: ends.identity.fingerprint, into: ends.target)
        let strangers = try await withThrowingTaskGroup(of: (any Channel).self) { group in
          for _ in 0..<12 {
            group.addTask {
              try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connect(
                host: "127.0.0.1", port: port
              )
              .get()
            }
          }
          return try await group.reduce(into: [any Channel]()) { $0.append($1) }
        }
        await ends.receiver.forget(move: "move")
        for stranger in strangers { stranger.close(promise: nil) }
      }
    }
  }

  /// Frames come from another node, which may be of another release, or not well.
  @Test func `frames are read back as they were written, and what is none ends no process`() throws {
    let sum = try #require([UInt8](repeating: 1, count: 100).withUnsafeBytes { ChunkSum(of: $0) })
    let traits = VolumeTraits(
      bytes: 64 << 20, fileSystem: .ext4, isFormatted: true, fileSystemBytes: 32 << 20, parameters: ["pool": "ü\0"])
    let frames: [TransferFrame] = [
      .hello(TransferGreeting(move: "m", volume: "pvc-1", traits: traits, isLast: true)), .welcome(bytes: 1 << 40),
      .refusal("no"), .sums(first: 7, [nil, sum, nil]), .wants(first: 7, [1, 255]),
      .data(chunk: 3, [UInt8](repeating: 9, count: 256 << 10)), .end(sum), .done(sum),
    ]
    var generator = SeededGenerator(seed: 12)
    for frame in frames {
      var buffer = ByteBuffer()
      frame.write(to: &buffer)
      #expect(buffer.readableBytes <= TransferFrameDecoder.limit)
      let bytes = Array(buffer.readableBytesView)
      #expect(try TransferFrame(&buffer) == frame)
      for _ in 0..<2000 {
        var damaged = Array(bytes.prefix(Int.random(in: 0...min(bytes.count, 400), using: &generator)))
        for _ in 0..<Int.random(in: 0...4, using: &generator) where !damaged.isEmpty {
          damaged[Int.random(in: 0..<damaged.count, using: &generator)] = .random(in: 0...255, using: &generator)
        }
        var input = ByteBuffer(bytes: damaged)
        _ = try? TransferFrame(&input)
      }
    }
  }

  @Test func `a volume that is being moved survives restarts on both sides`() async throws {
    try await Ends.with { ends in
      try await ends.source.seal(Ends.volume)
      #expect(try await ends.source.movingVolumes() == [Ends.volume: .sealed])
      // Asked twice is asked once, and a creation that is repeated finds its volume.
      try await ends.source.seal(Ends.volume)
      _ = try await ends.source.create(
        VolumeRequest(name: Ends.volume, bytes: 64 << 20, parameters: ["pool": "default"]))
      await #expect(throws: VolumeError.moving(volume: Ends.volume)) {
        _ = try await ends.target.create(
          VolumeRequest(name: Ends.volume, bytes: 64 << 20, parameters: ["pool": "default"]))
      }
      await #expect(throws: VolumeError.moving(volume: Ends.volume)) {
        _ = try await ends.source.expand(Ends.volume, to: 128 << 20)
      }
      try await ends.source.unseal(Ends.volume)
      #expect(try await ends.source.expand(Ends.volume, to: 128 << 20) == 128 << 20)
      try await ends.target.delete(Ends.volume)
      #expect(try await ends.target.movingVolumes().isEmpty)
    }
  }
}
