import HummingbirdCore
import LinuxSystem
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// Accepts connections, on an address of its own or on a socket that somebody else keeps open.
///
/// Hummingbird's own server binds by itself: a socket that outlives the process can't be given to it.
struct FrontListener: Service {
  enum Place: Sendable {
    case address(host: String, port: Int)
    /// A socket that listens; it is closed here at the end.
    case socket(Int32)
  }

  let place: Place
  let channel: FrontChannel
  let table: FrontConnectionTable
  /// Connections at once; what comes then waits in the kernel.
  let limit: Int
  let logger: Logger
  /// Called once it listens.
  let isListening: @Sendable (any Channel) -> Void

  private typealias Connections = NIOAsyncChannel<FrontChannel.Value, Never>

  /// Serves until it is asked to end: then nobody new is accepted, and connections end when they have nothing to do.
  func run() async throws {
    let connections = try await listen()
    isListening(connections.channel)
    await withGracefulShutdownHandler {
      await withDiscardingTaskGroup { group in
        do {
          try await connections.executeThenClose { inbound in
            for try await connection in inbound {
              group.addTask { await channel.handle(value: connection, logger: logger) }
            }
          }
        } catch {
          logger.error("connections are accepted no more", metadata: ["error": "\(error)"])
        }
      }
    } onGracefulShutdown: {
      connections.channel.close(promise: nil)
      table.quiesce()
    }
  }

  private func listen() async throws -> Connections {
    let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.backlog, value: 1024)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .serverChannelInitializer { [limit, logger] server in
        server.eventLoop.makeCompletedFuture {
          try server.pipeline.syncOperations.addHandler(
            AvailableConnectionsChannelHandler(delegate: MaximumAvailableConnections(limit, logger: logger)))
        }
      }
    let setUp: @Sendable (any Channel) -> EventLoopFuture<FrontChannel.Value> = { [channel, logger] connection in
      channel.setup(channel: connection, logger: logger)
    }
    switch place {
    case .address(let host, let port):
      return try await bootstrap.bind(host: host, port: port, childChannelInitializer: setUp)
    case .socket(let number):
      let connections: Connections = try await bootstrap.bind(number, childChannelInitializer: setUp)
      ListeningSocket.deepen(number)
      return connections
    }
  }
}
