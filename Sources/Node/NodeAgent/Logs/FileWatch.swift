import LinuxSystem
import NIOCore
import NIOPosix

#if canImport(Glibc)
  import Glibc
#endif

/// Tells when something in a directory changes, by inotify: whoever waits costs nothing.
final class FileWatch: Sendable {
  private let channel: any Channel
  let changes: AsyncStream<Void>

  /// Watches writes, creations and renames in a directory.
  init(directory: String) async throws {
    let descriptor = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
    guard descriptor >= 0 else { throw SystemError.last("inotify", directory) }
    let mask = UInt32(IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_DELETE_SELF | IN_DELETE)
    guard inotify_add_watch(descriptor, directory, mask) >= 0 else {
      let error = SystemError.last("watch", directory)
      Glibc.close(descriptor)
      throw error
    }
    let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    changes = stream
    channel = try await NIOPipeBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(ChangeHandler(continuation))
        }
      }
      .takingOwnershipOfDescriptor(input: descriptor).get()
  }

  func close() { channel.close(promise: nil) }
  deinit { channel.close(promise: nil) }

  private final class ChangeHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let continuation: AsyncStream<Void>.Continuation

    init(_ continuation: AsyncStream<Void>.Continuation) { self.continuation = continuation }
    func channelRead(context: ChannelHandlerContext, data: NIOAny) { continuation.yield() }
    func channelInactive(context: ChannelHandlerContext) { continuation.finish() }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
  }
}
