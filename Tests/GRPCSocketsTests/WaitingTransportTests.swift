import GRPCCore
import TestSupport
import Testing

@testable import GRPCSockets

@Suite struct WaitingTransportTests {
  /// Answers with what it was asked.
  private struct Echo: RegistrableRPCService {
    static let method = MethodDescriptor(fullyQualifiedService: "test.Echo", method: "Say")

    func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
      router.registerHandler(forMethod: Self.method, deserializer: Raw(), serializer: Raw()) { request, _ in
        StreamingServerResponse { writer in
          for try await message in request.messages { try await writer.write(message) }
          return [:]
        }
      }
    }
  }

  private struct Raw: MessageSerializer, MessageDeserializer {
    func serialize<Bytes: GRPCContiguousBytes>(_ message: [UInt8]) throws -> Bytes { Bytes(message) }
    func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> [UInt8] {
      bytes.withUnsafeBytes { Array($0) }
    }
  }

  @Test func `a call that is made between two lives of a server waits for the second`() async throws {
    let socket = "/tmp/nagaya-waiting-\(UInt32.random(in: 0...UInt32.max)).sock"
    let transport = try LocalTransport.client(socket: socket)
    try await withGRPCClient(transport: transport) { client in
      for life in 0..<20 {
        try await Self.serving(socket) {
          // Several at once, so that some come while the channel learns of the last server's end.
          try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<16 {
              group.addTask {
                var options = CallOptions.defaults
                options.timeout = .seconds(60)
                options.waitForReady = true
                let said: [UInt8] = [UInt8(life), UInt8(number)]
                var answer: [UInt8]?
                while answer == nil {
                  do {
                    answer = try await client.unary(
                      request: ClientRequest(message: said), descriptor: Echo.method, serializer: Raw(),
                      deserializer: Raw(), options: options
                    ) { try $0.message }
                  } catch let error as RPCError where error.message == "Stream unexpectedly closed." {
                    // It was on its way already when the last server ended; that is another matter.
                  }
                }
                #expect(answer == said)
              }
            }
            try await group.waitForAll()
          }
        }
      }
    }
  }

  @Test func `a call that does not wait fails at once, and one that waits when its time is over`() async throws {
    let transport = try LocalTransport.client(socket: "/tmp/nagaya-nobody-\(UInt32.random(in: 0...UInt32.max)).sock")
    try await withGRPCClient(transport: transport) { client in
      for waits in [false, true] {
        var options = CallOptions.defaults
        // The one that fails at once never comes near its limit, however busy the machine is.
        options.timeout = waits ? .milliseconds(300) : .seconds(60)
        options.waitForReady = waits
        let error = await #expect(throws: RPCError.self) {
          try await client.unary(
            request: ClientRequest(message: [1]), descriptor: Echo.method, serializer: Raw(), deserializer: Raw(),
            options: options
          ) { try $0.message }
        }
        #expect(error?.code == (waits ? .deadlineExceeded : .unavailable))
      }
    }
  }

  /// Serves while the body runs, then ends at once, as a killed process does.
  private static func serving(_ socket: String, _ body: @escaping @Sendable () async throws -> Void) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try? await LocalServer.serve([Echo()], socket: socket) {} }
      group.addTask { try await body() }
      // The server goes on until the calls are answered.
      while let _ = try await group.next() { group.cancelAll() }
    }
  }
}
