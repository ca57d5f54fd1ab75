public import NIOCore

/// Lets a server's SETTINGS hold from the start of a connection: stands right before the HTTP/2 handler.
///
/// A client may send requests before it has seen the server's SETTINGS (RFC 9113, section 3.4), and the handler applies
/// those only when they are acknowledged. To apply them earlier is safe where they allow more than the protocol's and
/// the handler's defaults. So the handler is given the acknowledgement right behind the client's own SETTINGS, and the
/// client's is taken out when it comes. Frames are known by their headers only (section 4.1); afterwards bytes pass.
public final class EarlySettings: ChannelInboundHandler {
  public typealias InboundIn = ByteBuffer
  public typealias InboundOut = ByteBuffer

  private enum Step {
    case preface
    case settings
    case acknowledgement
    case done
  }

  private static let prefaceBytes = 24
  private static let headerBytes = 9
  private static let settingsType: UInt8 = 4
  private static let acknowledged: UInt8 = 1

  private var step = Step.preface
  /// The start of a frame's header that is not all there yet.
  private var rest: ByteBuffer?
  /// Bytes of the preface, or of the current frame, that are still to come.
  private var owed = EarlySettings.prefaceBytes

  public init() {}

  public func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard step != .done || rest != nil else { return context.fireChannelRead(data) }
    for buffer in take(unwrapInboundIn(data)) { context.fireChannelRead(wrapInboundOut(buffer)) }
  }

  /// What the handler gets of a piece of input, in order.
  func take(_ piece: ByteBuffer) -> [ByteBuffer] {
    var input = piece
    if var whole = rest.take() {
      whole.writeBuffer(&input)
      input = whole
    }
    var output: [ByteBuffer] = []
    var passedTo = input.readerIndex
    var index = input.readerIndex
    let end = input.writerIndex
    func pass(_ upTo: Int) {
      if upTo > passedTo, let slice = input.getSlice(at: passedTo, length: upTo - passedTo) { output.append(slice) }
      passedTo = upTo
    }
    while index < end, step != .done {
      if owed > 0 {
        let count = min(owed, end - index)
        owed -= count
        index += count
      }
      guard owed == 0 else { break }
      if step == .settings {
        pass(index)
        output.append(ByteBuffer(bytes: [0, 0, 0, Self.settingsType, Self.acknowledged, 0, 0, 0, 0]))
        step = .acknowledgement
      }
      guard let header = input.getBytes(at: index, length: Self.headerBytes) else { break }
      let length = Int(header[0]) << 16 | Int(header[1]) << 8 | Int(header[2])
      let isAcknowledged = header[4] & Self.acknowledged != 0
      switch (step, header[3] == Self.settingsType) {
      case (.preface, true) where !isAcknowledged:
        step = .settings
        owed = Self.headerBytes + length
      case (.preface, _):
        // No HTTP/2: the handler says so.
        step = .done
      case (.acknowledgement, true) where isAcknowledged && length == 0:
        pass(index)
        index += Self.headerBytes
        passedTo = index
        step = .done
      default: owed = Self.headerBytes + length
      }
    }
    if step == .done { index = end }
    pass(index)
    if index < end { rest = input.getSlice(at: index, length: end - index) }
    return output
  }
}
