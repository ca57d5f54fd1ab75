import Glibc
import NIOCore

/// Lets the kernel find out that the other end of a quiet connection is gone (tcp(7)).
enum ConnectionLife {
  /// Seconds without a byte before the first question, seconds between questions, and how many may stay without an answer.
  static let (idle, interval, count): (Int, Int, Int) = (30, 10, 3)

  /// After 60 s without a sign of life whatever waits on the connection fails.
  @Sendable static func watch(_ channel: any Channel) -> EventLoopFuture<Void> {
    let options: [(ChannelOptions.Types.SocketOption, Int)] = [
      (.init(level: .socket, name: .so_keepalive), 1),
      (.init(level: .tcp, name: .init(rawValue: TCP_KEEPIDLE)), idle),
      (.init(level: .tcp, name: .init(rawValue: TCP_KEEPINTVL)), interval),
      (.init(level: .tcp, name: .init(rawValue: TCP_KEEPCNT)), count),
      // Bytes that are sent and not acknowledged are watched by this; keep-alive is silent then.
      (.init(level: .tcp, name: .init(rawValue: TCP_USER_TIMEOUT)), (idle + interval * count) * 1000),
    ]
    // One that has none of these is no socket of TCP, and lives as it may.
    return EventLoopFuture.andAllComplete(
      options.map { channel.setOption($0, value: $1) }, on: channel.eventLoop)
  }
}
