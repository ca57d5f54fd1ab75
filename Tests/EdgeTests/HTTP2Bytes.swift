import NIOCore
import NIOPosix
import NIOSSL

/// HTTP/2 as bytes (RFC 9113), for clients that do what a library would not.
enum HTTP2Bytes {
  /// The preface and empty settings.
  static let start: ByteBuffer = {
    var buffer = ByteBuffer(string: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    buffer.writeImmutableBuffer(frame(4, 0, stream: 0, []))
    return buffer
  }()

  static func frame(_ type: UInt8, _ flags: UInt8, stream: Int, _ payload: [UInt8]) -> ByteBuffer {
    var buffer = ByteBuffer()
    buffer.writeBytes([UInt8(payload.count >> 16), UInt8(payload.count >> 8 & 0xFF), UInt8(payload.count & 0xFF)])
    buffer.writeBytes([type, flags])
    buffer.writeInteger(UInt32(stream))
    buffer.writeBytes(payload)
    return buffer
  }

  /// A HEADERS frame with literal fields (RFC 7541 section 6.2.2), which leave no trace in the compression's table.
  static func request(
    stream: Int, host: String, _ fields: [(String, String)], method: String = "GET", path: String = "/headers",
    ends: Bool = true
  ) -> ByteBuffer {
    var payload: [UInt8] = []
    let all = [(":method", method), (":scheme", "https"), (":path", path), (":authority", host)] + fields
    for (name, value) in all {
      payload.append(0)
      for text in [name, value] {
        payload.append(UInt8(text.utf8.count))
        payload += Array(text.utf8)
      }
    }
    return frame(1, ends ? 0x05 : 0x04, stream: stream, payload)
  }

  /// The type and the payload of the next frame.
  static func frame(_ reader: inout ByteReader) async throws -> (type: UInt8, payload: [UInt8]) {
    let header = try await reader.read(9)
    let length = Int(header[0]) << 16 | Int(header[1]) << 8 | Int(header[2])
    return (header[3], try await reader.read(length))
  }

  /// The status of the first answer: the first byte of its head is an index of the static table, or a literal follows.
  static func status(_ reader: inout ByteReader) async throws -> String {
    while true {
      let (type, payload) = try await frame(&reader)
      guard type == 1 else { continue }
      switch payload.first ?? 0 {
      case 0x88: return "200"
      case 0x8C: return "400"
      case 0x8D: return "404"
      case 0x8E: return "500"
      default: return "another: \(payload.prefix(16))"
      }
    }
  }
}

/// Reads a connection by numbers of bytes.
struct ByteReader {
  private var iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
  private var bytes: [UInt8] = []

  struct Ended: Error {}

  init(_ iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator) { self.iterator = iterator }

  mutating func read(_ count: Int) async throws -> [UInt8] {
    while bytes.count < count {
      guard let more = try await iterator.next() else { throw Ended() }
      bytes += Array(buffer: more)
    }
    defer { bytes.removeFirst(count) }
    return Array(bytes.prefix(count))
  }
}

extension Stage {
  /// A TLS connection on which HTTP/2 was agreed, for bytes of one's own.
  func http2<Result: Sendable>(
    _ body: @Sendable (inout ByteReader, NIOAsyncChannelOutboundWriter<ByteBuffer>) async throws -> Result
  ) async throws -> Result {
    var tls = TLSConfiguration.makeClientConfiguration()
    tls.trustRoots = .file("\(directory)/trust.pem")
    tls.applicationProtocols = ["h2"]
    let context = try NIOSSLContext(configuration: tls)
    let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .connect(host: "127.0.0.1", port: port) { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(
            NIOSSLClientHandler(context: context, serverHostname: Stage.host))
          return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
        }
      }
    return try await channel.executeThenClose { inbound, outbound in
      var reader = ByteReader(inbound.makeAsyncIterator())
      return try await body(&reader, outbound)
    }
  }
}
