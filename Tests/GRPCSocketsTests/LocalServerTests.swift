import CSI
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import GRPCSockets
import Glibc
import Locking
import NIOCore
import NIOPosix
import TestSupport
import Testing

/// The server end of local gRPC against clients that do not behave, and against many calls.
@Suite(.serialized) struct LocalServerTests {
  /// Answers nobody before `count` calls are here.
  private final class Gathering: Csi_V1_Identity.SimpleServiceProtocol {
    private let count: Int
    private let state = Mutex<[CheckedContinuation<Void, Never>]>([])
    init(_ count: Int) { self.count = count }

    func probe(request: Csi_V1_ProbeRequest, context: ServerContext) async throws -> Csi_V1_ProbeResponse {
      await withCheckedContinuation { continuation in
        let all = state.withLock { waiting in
          waiting.append(continuation)
          return waiting.count == count ? waiting : []
        }
        for one in all { one.resume() }
      }
      return Csi_V1_ProbeResponse()
    }
    func getPluginInfo(request: Csi_V1_GetPluginInfoRequest, context: ServerContext) async throws
      -> Csi_V1_GetPluginInfoResponse
    { Csi_V1_GetPluginInfoResponse() }
    func getPluginCapabilities(request: Csi_V1_GetPluginCapabilitiesRequest, context: ServerContext) async throws
      -> Csi_V1_GetPluginCapabilitiesResponse
    { Csi_V1_GetPluginCapabilitiesResponse() }
  }

  private static func socket() -> String { "/tmp/nagaya-grpc-\(UUID().uuidString.prefix(8))/s" }

  @Test(.timeLimit(.minutes(5)), arguments: ["s", "driver.sock"])
  func aSocketIsAtItsPlaceWhenItAnswersAndIsItsOwnersAlone(name: String) async throws {
    for _ in 0..<10 {
      let directory = "/tmp/nagaya-grpc-\(UUID().uuidString.prefix(8))"
      defer { try? FileManager.default.removeItem(atPath: directory) }
      let socket = "\(directory)/\(name)"
      let serving = Task { try await LocalServer.serve([Gathering(1)], socket: socket) {} }
      var status = stat()
      while lstat(socket, &status) != 0 { await Task.yield() }
      #expect(status.st_mode & 0o777 == 0o600 && status.st_mode & S_IFMT == S_IFSOCK)
      // One try, without waiting for a server to come up.
      let descriptor = connected(to: socket)
      #expect(descriptor >= 0)
      close(descriptor)
      serving.cancel()
      _ = try? await serving.value
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory).isEmpty)
    }
  }

  /// - Returns: -1 if nobody listens there.
  private func connected(to path: String) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    let isConnected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
      }
    }
    guard isConnected else {
      close(descriptor)
      return -1
    }
    return descriptor
  }

  @Test(.timeLimit(.minutes(15))) func manyCallsAtOnceOnOneConnectionAreAllAnswered() async throws {
    let socket = Self.socket()
    defer { try? FileManager.default.removeItem(atPath: String(socket.dropLast(2))) }
    let count = 1000
    let (ready, isReady) = AsyncStream<Void>.makeStream()
    let serving = Task {
      try await LocalServer.serve([Gathering(count)], socket: socket) { isReady.finish() }
    }
    for await _ in ready {}
    let transport = try LocalTransport.client(socket: socket)
    try await withGRPCClient(transport: transport) { client in
      let identity = Csi_V1_Identity.Client(wrapping: client)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<count { group.addTask { _ = try await identity.probe(Csi_V1_ProbeRequest()) } }
        try await group.waitForAll()
      }
    }
    serving.cancel()
    _ = await serving.result
    #expect(!FileManager.default.fileExists(atPath: socket))
  }
}
