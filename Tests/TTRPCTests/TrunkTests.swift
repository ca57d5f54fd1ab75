import NIOCore
import TestSupport
import Testing

@testable import TTRPC

struct TrunkTests {
  /// Two ends of a socket.
  private func pair() async throws -> (UnixSocketConnection, UnixSocketConnection, UnixSocketListener) {
    let path = "/tmp/nagaya-trunk-\(UInt32.random(in: 0 ... .max))"
    let accepted = BoundedQueue<UnixSocketConnection>(items: 1)
    let listener = try await UnixSocketListener(path) { _ = accepted.push($0) }
    let one = try await UnixSocketConnection.connect(path)
    let other = try #require(try await accepted.next())
    return (one, other, listener)
  }

  @Test func `calls go both ways over one socket`() async throws {
    let (one, other, listener) = try await pair()
    let ends = [Trunk(one, numbers: [1, 2]), Trunk(other, numbers: [1, 2])]
    let service = TTRPCService("echo", ["Echo": .unary { (_: TTRPCCall, bytes: [UInt8]) in bytes }])
    let running = ends.map { end in Task { try? await end.run() } }
    // Each end serves on one connection and calls on the other.
    let serving = [(ends[0], UInt32(1)), (ends[1], 2)].map { end, number in
      Task { try? await TTRPCServer([service]).serve(end.connection(number)) }
    }
    let clients = [TTRPCClient(ends[0].connection(2)), TTRPCClient(ends[1].connection(1))]
    let answering = clients.map { client in Task { try? await client.run() } }
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for number in 0..<100 {
        for client in clients {
          group.addTask {
            let bytes = [UInt8](repeating: UInt8(number), count: 10_000)
            return try await client.call("echo", "Echo", bytes, timeout: .seconds(180)) == bytes
          }
        }
      }
      for try await isRight in group { #expect(isRight) }
    }
    ends[0].close()
    for task in running + serving + answering { await task.value }
    await listener.close()
  }

  @Test func `a queue that nobody empties ends the trunk`() async throws {
    let (one, other, listener) = try await pair()
    let trunk = Trunk(one, numbers: [1])
    let end = Task { try await trunk.run() }
    var piece = ByteBuffer(integer: UInt32(1))
    piece.writeInteger(UInt32(1))
    piece.writeInteger(UInt8(0))
    for _ in 0..<(Trunk.queueFrames + 1) { try? await other.write(piece) }
    let error = await #expect(throws: TTRPCError.self) { try await end.value }
    #expect(error?.code == .resourceExhausted)
    let rest = try await other.read()
    #expect(rest == nil)
    await listener.close()
  }

  @Test func `a piece that is too long ends it, one for nobody is passed over`() async throws {
    let (one, other, listener) = try await pair()
    let trunk = Trunk(one, numbers: [1])
    let end = Task { try await trunk.run() }
    var bytes = ByteBuffer(bytes: [0, 0, 0, 99, 0, 0, 0, 1, 5, 0, 0, 0, 1, 0, 0, 0, 2, 7, 8])
    try await other.write(bytes)
    let taken = try await trunk.connection(1).read()
    #expect(taken == ByteBuffer(bytes: [7, 8]))
    bytes = ByteBuffer(integer: UInt32(1))
    bytes.writeInteger(UInt32.max)
    try await other.write(bytes)
    await #expect(throws: TTRPCError.self) { try await end.value }
    await listener.close()
  }

  @Test func `a queue keeps items and bytes up to its limits, and gives what it has before its end`() async throws {
    let queue = BoundedQueue<Int>(items: 3, bytes: 10)
    #expect(queue.push(1, bytes: 4) && queue.push(2, bytes: 6))
    #expect(!queue.push(3, bytes: 1))
    var taken = [try await queue.next()]
    #expect(queue.push(3, bytes: 1) && queue.push(4, bytes: 1))
    #expect(!queue.push(5))
    queue.finish()
    #expect(queue.push(6))
    for _ in 0..<4 { taken.append(try await queue.next()) }
    #expect(taken == [1, 2, 3, 4, nil])
  }

  @Test func `who waits at a queue can be cancelled`() async throws {
    let queue = BoundedQueue<Int>(items: 3)
    let task = Task { try await queue.next() }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(queue.push(1))
    let taken = try await queue.next()
    #expect(taken == 1)
  }
}
