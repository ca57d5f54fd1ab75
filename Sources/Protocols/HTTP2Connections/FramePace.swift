import BoundedNumbers
public import NIOCore

/// Reads an HTTP/2 connection no faster than so many frames a second.
///
/// Bytes are held back by flow control, but frames that carry next to none are not: WINDOW_UPDATE, DATA of one byte,
/// PRIORITY, frames of unknown types each cost about as much as a full one. A flood of them waits in the client's own
/// socket; nobody is cut off who is merely fast. It stands between TLS and the HTTP/2 handler and reads frames' headers
/// alone (RFC 9113 section 4.1).
public final class FramePace: ChannelDuplexHandler {
  public typealias InboundIn = ByteBuffer
  public typealias InboundOut = ByteBuffer
  public typealias OutboundIn = ByteBuffer

  private static let prefaceBytes = 24
  private let framesPerSecond: Int64
  private var tokens: Int64
  private var refilled = NIODeadline.now()
  /// Bytes until the next frame's header.
  private var skip = FramePace.prefaceBytes
  private var header: [UInt8] = []
  private var isReadHeld = false
  private var pause: Scheduled<Void>?

  /// - Parameter framesPerSecond: above 0; as many may come at once.
  public init(framesPerSecond: Int) {
    self.framesPerSecond = Int64(max(1, framesPerSecond))
    tokens = self.framesPerSecond
    header.reserveCapacity(9)
  }

  public func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    tokens -= countFrames(in: unwrapInboundIn(data))
    context.fireChannelRead(data)
  }

  public func read(context: ChannelHandlerContext) {
    refill()
    guard tokens < 0 else { return context.read() }
    isReadHeld = true
    guard pause == nil else { return }
    let wait = TimeAmount.nanoseconds(max(1_000_000, -tokens * 1_000_000_000 / framesPerSecond))
    pause = context.eventLoop.assumeIsolated().scheduleTask(in: wait) { [weak self] in
      guard let self else { return }
      self.pause = nil
      guard self.isReadHeld else { return }
      self.isReadHeld = false
      self.read(context: context)
    }
  }

  public func channelInactive(context: ChannelHandlerContext) {
    pause?.cancel()
    context.fireChannelInactive()
  }

  public func handlerRemoved(context: ChannelHandlerContext) { pause?.cancel() }

  private func refill() {
    let now = NIODeadline.now()
    let elapsed = (now - refilled).nanoseconds
    let more = Int64(clamping: min(Double(elapsed) / 1e9, 1) * Double(framesPerSecond))
    guard more > 0 else { return }
    refilled = now
    tokens = min(framesPerSecond, tokens + more)
  }

  /// Frames whose headers end in these bytes.
  private func countFrames(in buffer: ByteBuffer) -> Int64 {
    var frames: Int64 = 0
    buffer.withUnsafeReadableBytes { bytes in
      var offset = 0
      while offset < bytes.count {
        if skip > 0 {
          let step = min(skip, bytes.count - offset)
          skip -= step
          offset += step
          continue
        }
        let step = min(9 - header.count, bytes.count - offset)
        header.append(contentsOf: bytes[offset..<offset + step])
        offset += step
        guard header.count == 9 else { continue }
        skip = Int(header[0]) << 16 | Int(header[1]) << 8 | Int(header[2])
        header.removeAll(keepingCapacity: true)
        frames += 1
      }
    }
    return frames
  }
}
