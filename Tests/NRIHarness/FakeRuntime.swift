import Foundation
import Locking
public import NRI
public import SwiftProtobuf
public import TTRPC

/// The runtime's side of NRI on a unix socket: tells plugins that it has no containers, as a real one tells those that it has,
/// and asks them what a test wants.
public final class FakeRuntime: Sendable {
  /// A plugin that has registered.
  public struct Plugin: Sendable {
    public let request: NRIRegisterPluginRequest
    public let client: TTRPCClient
    let connection: UnixSocketConnection

    public static let service = "nri.pkg.api.v1alpha1.Plugin"

    public func call<Request: Message, Response: Message>(_ method: String, _ request: Request) async throws -> Response
    {
      try await client.call(Self.service, method, request, timeout: .seconds(180))
    }

    /// Breaks the connection off.
    public func drop() { connection.close() }
  }

  public let socket: String
  private struct State {
    var plugins: [Plugin] = []
    var updates: [NRIContainerUpdate] = []
    var tasks: [Task<Void, Never>] = []
    var listener: UnixSocketListener?
  }
  private let state = Mutex(State())

  public init(socket: String = "/tmp/nagaya-nri-\(UInt32.random(in: 0 ... .max))") { self.socket = socket }

  public func start() async throws {
    unlink(socket)
    let listener = try await UnixSocketListener(socket) { [self] connection in
      let task = Task { await serve(connection) }
      state.withLock { $0.tasks.append(task) }
    }
    state.withLock { $0.listener = listener }
  }

  /// Ends, as if the runtime had been killed.
  public func stop() async {
    let (listener, plugins, tasks) = state.withLock { state in
      defer { state = State() }
      return (state.listener, state.plugins, state.tasks)
    }
    await listener?.close()
    for plugin in plugins { plugin.drop() }
    for task in tasks { await task.value }
    unlink(socket)
  }

  /// The plugins that have registered and know what runs, in their order.
  public var plugins: [Plugin] { state.withLock { $0.plugins } }
  /// What plugins changed of containers that run.
  public var updates: [NRIContainerUpdate] { state.withLock { $0.updates } }

  private func serve(_ connection: UnixSocketConnection) async {
    let trunk = Trunk(connection, numbers: [1, 2])
    let client = TTRPCClient(trunk.connection(1))
    let (registrations, registered) = AsyncStream.makeStream(of: NRIRegisterPluginRequest.self)
    let service = TTRPCService(
      "nri.pkg.api.v1alpha1.Runtime",
      [
        "RegisterPlugin": .unary { (request: NRIRegisterPluginRequest) in
          registered.yield(request)
          return NRIEmpty()
        },
        "UpdateContainers": .unary { [self] (request: NRIUpdateContainersRequest) in
          state.withLock { $0.updates += request.update }
          return NRIUpdateContainersResponse()
        },
      ])
    let runtime = trunk.connection(2)
    await withTaskGroup(of: Void.self) { group in
      group.addTask { try? await trunk.run() }
      group.addTask { try? await client.run() }
      group.addTask {
        try? await TTRPCServer([service]).serve(runtime)
        registered.finish()
      }
      group.addTask { [self] in
        for await request in registrations {
          let plugin = Plugin(request: request, client: client, connection: connection)
          let told: NRISynchronizeResponse? = try? await plugin.call("Synchronize", NRISynchronizeRequest())
          if told != nil { state.withLock { $0.plugins.append(plugin) } }
        }
      }
      await group.waitForAll()
    }
  }
}
