import SwiftProtobuf
import TestSupport
import Testing

@testable import TTRPC

/// Client and server over real unix sockets.
struct CallTests {
  private let service = TestServer.service
  private let limit = Duration.seconds(180)

  @Test func `many calls on one connection are answered, each with its own`() async throws {
    try await TestServer.with { server in
      try await server.client { client in
        try await withThrowingTaskGroup(of: Bool.self) { group in
          for number in 0..<200 {
            group.addTask {
              let bytes = [UInt8](repeating: UInt8(number), count: number * 100)
              return try await client.call(service, "Echo", bytes, timeout: limit) == bytes
            }
          }
          for try await isRight in group { #expect(isRight) }
        }
      }
    }
  }

  @Test func `messages and metadata arrive`() async throws {
    try await TestServer.with { server in
      try await server.client { client in
        let message = TTRPCWireKeyValue.with { $0.key = "a" }
        let answer: TTRPCWireKeyValue = try await client.call(service, "Typed", message, timeout: limit)
        #expect(answer == message)
        let metadata = try await client.call(
          service, "Metadata", [], timeout: limit, metadata: ["one": "1", "two": "2"])
        #expect(String(decoding: metadata, as: UTF8.self) == "one=1,two=2")
      }
    }
  }

  @Test(
    arguments: [
      ("Fail", TTRPCError.Code.failedPrecondition), ("Nothing", .unimplemented), ("Large", .resourceExhausted),
    ])
  func `an error has the server's code`(_ method: String, _ code: TTRPCError.Code) async throws {
    try await TestServer.with { server in
      try await server.client { client in
        let error = await #expect(throws: TTRPCError.self) {
          try await client.call(service, method, [], timeout: limit)
        }
        #expect(error?.code == code)
        // The connection goes on.
        let next = try await client.call(service, "Echo", [1], timeout: limit)
        #expect(next == [1])
      }
    }
  }

  @Test(arguments: ["Wait", "Deaf"])
  func `a call that is late is given up on both sides`(_ method: String) async throws {
    try await TestServer.with { server in
      try await server.client { client in
        let error = await #expect(throws: TTRPCError.self) {
          try await client.call(service, method, [], timeout: .milliseconds(20))
        }
        #expect(error?.code == .deadlineExceeded)
        let next = try await client.call(service, "Echo", [1], timeout: limit)
        #expect(next == [1])
      }
    }
  }

  @Test func `more calls than the limit are refused at once, and the others answered`() async throws {
    var limits = TTRPCServerLimits()
    limits.calls = 8
    try await TestServer.with(limits: limits) { server in
      try await server.client { client in
        try await withThrowingTaskGroup(of: Result<[UInt8], TTRPCError>.self) { group in
          for _ in 0..<20 {
            group.addTask {
              do { return .success(try await client.call(service, "Wait", [1], timeout: limit)) } catch let error
                as TTRPCError
              { return .failure(error) }
            }
          }
          var refused = 0
          var answered = 0
          while let result = try await group.next() {
            switch result {
            case .failure(let error):
              #expect(error.code == .resourceExhausted)
              refused += 1
              if refused == 12 { server.gate.open() }
            case .success: answered += 1
            }
          }
          #expect((answered, refused) == (8, 12))
        }
      }
    }
  }

  @Test func `calls that wait hear of the connection's end`() async throws {
    try await TestServer.with { server in
      let connection = try await UnixSocketConnection.connect(server.path)
      let client = TTRPCClient(connection)
      let running = Task { try? await client.run() }
      let answer = Task { try await client.call(service, "Wait", [], timeout: limit) }
      _ = try await client.call(service, "Echo", [], timeout: limit)
      connection.close()
      let error = await #expect(throws: TTRPCError.self) { _ = try await answer.value }
      #expect(error?.code == .unavailable)
      await running.value
      await #expect(throws: TTRPCError.connectionEnded) {
        _ = try await client.call(service, "Echo", [], timeout: limit)
      }
    }
  }

  @Test func `streams of requests, of answers and of both`() async throws {
    try await TestServer.with { server in
      try await server.client { client in
        let sum = try await client.stream(service, "Sum", sendsMore: true, timeout: limit) { stream in
          for number in 1...100 { try await stream.send([UInt8(number)]) }
          try await stream.finish()
          return try await stream.next()
        }
        #expect(sum == [5050 >> 8, 5050 & 255])
        let numbers = try await client.stream(service, "Count", payload: [5], sendsMore: false, timeout: limit) {
          stream in
          var numbers: [[UInt8]] = []
          while let bytes = try await stream.next() { numbers.append(bytes) }
          return numbers
        }
        #expect(numbers == [[0], [1], [2], [3], [4]])
        let doubled = try await client.stream(service, "Double", sendsMore: true, timeout: limit) { stream in
          try await stream.send([1])
          let first = try await stream.next()
          try await stream.send([])
          let second = try await stream.next()
          try await stream.finish()
          return [first, second, try await stream.next()]
        }
        #expect(doubled == [[1, 1], [], nil])
      }
    }
  }
}
