import CSI
import Foundation
import GRPCCore
import GRPCSockets
import Logging
import ServiceLifecycle
import TestSupport
import Testing

/// Calls that come in one flight with the start of their connection, whole and in pieces, while the server ends or their
/// connection does: in every order, and the server ends each time.
@Suite(.serialized) struct ServerFlightTests {
  /// Answers at once, or, as long as nobody cancels the call, never.
  private struct Identity: Csi_V1_Identity.SimpleServiceProtocol {
    func probe(request: Csi_V1_ProbeRequest, context: ServerContext) async throws -> Csi_V1_ProbeResponse {
      Csi_V1_ProbeResponse()
    }
    func getPluginInfo(request: Csi_V1_GetPluginInfoRequest, context: ServerContext) async throws
      -> Csi_V1_GetPluginInfoResponse
    {
      try await Task.sleep(for: .seconds(3600))
      return Csi_V1_GetPluginInfoResponse()
    }
    func getPluginCapabilities(request: Csi_V1_GetPluginCapabilitiesRequest, context: ServerContext) async throws
      -> Csi_V1_GetPluginCapabilitiesResponse
    { Csi_V1_GetPluginCapabilitiesResponse() }
  }

  private static func call(_ stream: UInt32, _ method: String, ends: Bool) -> [UInt8] {
    HTTP2Bytes.request(
      stream, method: "POST", path: "/csi.v1.Identity/\(method)",
      fields: [("content-type", "application/grpc"), ("te", "trailers")], ends: false)
      // A message of no bytes (gRPC's length prefix).
      + HTTP2Bytes.frame(0, flags: ends ? 1 : 0, stream: stream, [0, 0, 0, 0, 0])
  }

  /// What a connection brings, in an order of its own each time; right, wrong, and ending it in between.
  private static func flight(_ random: inout SeededGenerator) -> [UInt8] {
    var bytes = HTTP2Bytes.preface + HTTP2Bytes.settings()
    var stream: UInt32 = 1
    for _ in 0..<Int.random(in: 0...12, using: &random) {
      switch Int.random(in: 0..<14, using: &random) {
      case 0: bytes += HTTP2Bytes.reset(stream > 1 ? stream - 2 : 1)
      case 1: bytes += HTTP2Bytes.goAway()
      case 2: bytes += HTTP2Bytes.frame(6, [UInt8](repeating: 7, count: 8))
      case 3: bytes += HTTP2Bytes.frame(0, stream: stream + 40, [1, 2, 3])
      case 4: bytes += HTTP2Bytes.acknowledgement
      case 5: bytes += [UInt8](repeating: 0xFF, count: 20)
      case 6: bytes += HTTP2Bytes.windowUpdate(by: 0)
      default:
        let method = Bool.random(using: &random) ? "Probe" : "GetPluginInfo"
        bytes += call(stream, method, ends: Bool.random(using: &random))
        stream += 2
      }
    }
    // Often only up to somewhere, in the middle of a frame or of the preface.
    return Bool.random(using: &random) ? bytes : Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random)))
  }

  enum End: String, Sendable, CaseIterable { case graceful, cancelled, gracefulThenCancelled, clients }

  /// Runs what a service group would, so that its shutdown can be graceful.
  private struct Served: Service {
    let socket: String
    var drain = Duration.milliseconds(300)
    let listening: @Sendable () -> Void
    func run() async throws {
      try await LocalServer.serve([Identity()], socket: socket, drain: drain) { listening() }
    }
  }

  @Test(.timeLimit(.minutes(10)), arguments: End.allCases)
  func whateverPeersSendTheServerEndsAndNoConnectionIsLeft(end: End) async throws {
    var quiet = Logger(label: "test.flight")
    quiet.logLevel = .critical
    // The pool's threads are busy, so that tasks lag behind the event loops.
    let load = Task {
      await withDiscardingTaskGroup { group in
        for _ in 0..<4 {
          group.addTask {
            var number: UInt64 = 1
            while !Task.isCancelled {
              for _ in 0..<200_000 { number = number &* 6_364_136_223_846_793_005 &+ 1 }
              await Task.yield()
            }
            _ = number
          }
        }
      }
    }
    defer { load.cancel() }
    var random = SeededGenerator(seed: 22)
    for round in 0..<16 {
      let socket = "/tmp/nagaya-grpc-\(UUID().uuidString.prefix(8))/s"
      defer { try? FileManager.default.removeItem(atPath: String(socket.dropLast(2))) }
      let (ready, isReady) = AsyncStream<Void>.makeStream()
      let group = ServiceGroup(
        services: [Served(socket: socket, listening: { isReady.finish() })], logger: quiet)
      let running = Task {
        defer { isReady.finish() }
        try await group.run()
      }
      // Every fourth server is asked to end while it starts.
      let isEarly = round % 4 == 3 && end != .clients
      if !isEarly { for await _ in ready {} }
      let flights = (0..<24).map { _ in (Self.flight(&random), UInt64.random(in: 0..<8, using: &random)) }
      await withTaskGroup(of: Void.self) { clients in
        for (index, (bytes, pause)) in flights.enumerated() {
          clients.addTask {
            for _ in 0..<pause { await Task.yield() }
            guard let client = try? await RawClient(socket: socket, reads: index % 4 != 2, first: bytes) else { return }
            if end == .clients || index % 3 == 0 { client.close() }
            // Who does not read does not see the end of the connection.
            if end == .clients || index % 4 == 2 { return client.close() }
            #expect(
              await eventually { client.isClosed },
              "the client is stuck: round \(round), connection \(index), received \(client.frames)")
            client.close()
          }
        }
        clients.addTask {
          for _ in 0..<(round * 3) { await Task.yield() }
          switch end {
          case .graceful: await group.triggerGracefulShutdown()
          case .cancelled: running.cancel()
          case .gracefulThenCancelled:
            await group.triggerGracefulShutdown()
            for _ in 0..<round { await Task.yield() }
            running.cancel()
          case .clients: break
          }
        }
        await clients.waitForAll()
      }
      if end == .clients { await group.triggerGracefulShutdown() }
      let ended = EndWatcher(running)
      #expect(await eventually { ended.isOver }, "the server is stuck: round \(round)")
      guard ended.isOver else { return }
      #expect(ended.error == nil, "round \(round)")
      #expect(!FileManager.default.fileExists(atPath: socket), "round \(round)")
    }
  }

  @Test(.timeLimit(.minutes(15)), arguments: [true, false])
  func aServerWithoutPeersWaitsForNobody(isGraceful: Bool) async throws {
    var quiet = Logger(label: "test.flight")
    quiet.logLevel = .critical
    for round in 0..<30 {
      let socket = "/tmp/nagaya-grpc-\(UUID().uuidString.prefix(8))/s"
      defer { try? FileManager.default.removeItem(atPath: String(socket.dropLast(2))) }
      let (ready, isReady) = AsyncStream<Void>.makeStream()
      let group = ServiceGroup(
        services: [Served(socket: socket, drain: .seconds(3600), listening: { isReady.finish() })], logger: quiet)
      let running = Task {
        defer { isReady.finish() }
        try await group.run()
      }
      // From its very start on.
      switch round % 3 {
      case 0: for await _ in ready {}
      case 1: try await eventually("the socket is there") { FileManager.default.fileExists(atPath: socket) }
      default: for _ in 0..<(round * 10) { await Task.yield() }
      }
      if isGraceful { await group.triggerGracefulShutdown() } else { running.cancel() }
      let ended = EndWatcher(running)
      #expect(await eventually { ended.isOver }, "the server is stuck: round \(round)")
      guard ended.isOver else { return running.cancel() }
      #expect(ended.error == nil, "round \(round)")
    }
  }

  @Test(.timeLimit(.minutes(15)), arguments: [true, false])
  func aPeerThatHoldsACallIsCutOffWhenTheServerEnds(isGraceful: Bool) async throws {
    var quiet = Logger(label: "test.flight")
    quiet.logLevel = .critical
    let socket = "/tmp/nagaya-grpc-\(UUID().uuidString.prefix(8))/s"
    defer { try? FileManager.default.removeItem(atPath: String(socket.dropLast(2))) }
    let (ready, isReady) = AsyncStream<Void>.makeStream()
    let group = ServiceGroup(services: [Served(socket: socket, listening: { isReady.finish() })], logger: quiet)
    let running = Task { try await group.run() }
    for await _ in ready {}
    let opening = HTTP2Bytes.preface + HTTP2Bytes.settings()
    // A call that is not answered, one whose message does not come, half a head, and nothing at all.
    let clients = try await [
      RawClient(socket: socket, first: opening + Self.call(1, "GetPluginInfo", ends: true)),
      RawClient(socket: socket, first: opening + Self.call(1, "Probe", ends: false)),
      RawClient(socket: socket, first: Array((opening + Self.call(1, "Probe", ends: true)).prefix(60))),
      RawClient(socket: socket, first: []),
    ]
    let other = try await RawClient(socket: socket, first: opening + Self.call(1, "Probe", ends: true))
    try await eventually("a call is answered") { other.frames.contains { $0.stream == 1 && $0.flags & 1 == 1 } }
    if isGraceful { await group.triggerGracefulShutdown() } else { running.cancel() }
    let ended = EndWatcher(running)
    try await eventually("the server ends") { ended.isOver }
    for (index, client) in (clients + [other]).enumerated() {
      try await eventually("connection \(index) is closed") { client.isClosed }
    }
    #expect(ended.error == nil)
  }
}
