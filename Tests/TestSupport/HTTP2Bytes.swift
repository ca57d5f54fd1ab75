/// Frames of HTTP/2 (RFC 9113) as bytes, right or wrong, for clients that no library would be.
public enum HTTP2Bytes {
  public static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
  public static let acknowledgement = frame(4, flags: 1)

  /// - Parameter flags: 1 ends a stream (or acknowledges), 4 ends the headers.
  public static func frame(_ type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8] = []) -> [UInt8] {
    let count = payload.count
    return [UInt8(count >> 16 & 0xFF), UInt8(count >> 8 & 0xFF), UInt8(count & 0xFF), type, flags]
      + word(stream) + payload
  }

  public static func word(_ value: UInt32) -> [UInt8] {
    [UInt8(value >> 24), UInt8(value >> 16 & 0xFF), UInt8(value >> 8 & 0xFF), UInt8(value & 0xFF)]
  }

  public static func settings(_ values: [(UInt16, UInt32)] = []) -> [UInt8] {
    frame(4, values.flatMap { [UInt8($0.0 >> 8), UInt8($0.0 & 0xFF)] + word($0.1) })
  }

  /// A header block (RFC 7541) of literals that are not remembered.
  public static func block(
    method: String = "GET", path: String, authority: String = "localhost", fields: [(String, String)] = []
  ) -> [UInt8] {
    let pseudo = [(":method", method), (":scheme", "https"), (":path", path), (":authority", authority)]
    return literals(pseudo + fields)
  }

  /// Fields as literals that are not remembered, as a block of trailers has them.
  public static func literals(_ fields: [(String, String)]) -> [UInt8] {
    fields.flatMap { [0] + text($0.0) + text($0.1) }
  }

  /// A request's HEADERS, and as many CONTINUATION frames as it takes.
  public static func request(
    _ stream: UInt32, method: String = "GET", path: String, authority: String = "localhost",
    fields: [(String, String)] = [], ends: Bool = true
  ) -> [UInt8] {
    headers(stream, block(method: method, path: path, authority: authority, fields: fields), ends: ends)
  }

  public static func headers(_ stream: UInt32, _ block: [UInt8], ends: Bool = true) -> [UInt8] {
    var pieces: [[UInt8]] = []
    var rest = block[...]
    repeat {
      pieces.append(Array(rest.prefix(16 << 10)))
      rest = rest.dropFirst(16 << 10)
    } while !rest.isEmpty
    return pieces.enumerated().flatMap { index, piece in
      frame(
        index == 0 ? 1 : 9, flags: (index == 0 && ends ? 1 : 0) | (index == pieces.count - 1 ? 4 : 0), stream: stream,
        piece)
    }
  }

  /// - Parameter code: 8 is CANCEL (RFC 9113, section 7).
  public static func reset(_ stream: UInt32, code: UInt32 = 8) -> [UInt8] { frame(3, stream: stream, word(code)) }
  public static func goAway(lastStream: UInt32 = 0, code: UInt32 = 0) -> [UInt8] {
    frame(7, word(lastStream) + word(code))
  }
  public static func windowUpdate(_ stream: UInt32 = 0, by increment: UInt32) -> [UInt8] {
    frame(8, stream: stream, word(increment))
  }

  /// A literal without Huffman's code (RFC 7541, sections 5.1 and 5.2).
  private static func text(_ text: String) -> [UInt8] {
    var length = text.utf8.count
    guard length >= 127 else { return [UInt8(length)] + Array(text.utf8) }
    var prefix: [UInt8] = [127]
    length -= 127
    while length >= 128 {
      prefix.append(UInt8(length & 127) | 128)
      length >>= 7
    }
    return prefix + [UInt8(length)] + Array(text.utf8)
  }

  /// What a peer sent, frame by frame; what is not all there yet is left out.
  public struct Frame: Sendable, Hashable {
    public let type: UInt8
    public let flags: UInt8
    public let stream: UInt32
    public let payload: [UInt8]
  }

  public static func frames(in bytes: [UInt8]) -> [Frame] {
    var frames: [Frame] = []
    var rest = bytes[...]
    while rest.count >= 9 {
      let head = Array(rest.prefix(9))
      let length = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
      guard rest.count >= 9 + length else { break }
      let stream = head[5...].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      frames.append(
        Frame(type: head[3], flags: head[4], stream: stream, payload: Array(rest.dropFirst(9).prefix(length))))
      rest = rest.dropFirst(9 + length)
    }
    return frames
  }

  /// The status of the first answer: the first byte of its head is an index of the static table (RFC 7541, appendix A),
  /// or a literal follows; `nil` before there is one.
  public static func status(in bytes: [UInt8], of stream: UInt32? = nil) -> String? {
    guard let head = frames(in: bytes).first(where: { $0.type == 1 && (stream == nil || $0.stream == stream) }) else {
      return nil
    }
    let known: [UInt8: String] = [0x88: "200", 0x89: "204", 0x8C: "400", 0x8D: "404", 0x8E: "500"]
    return known[head.payload.first ?? 0] ?? "another: \(head.payload.prefix(16))"
  }

  /// The body of a stream's answer so far.
  public static func body(of stream: UInt32, in bytes: [UInt8]) -> String {
    String(decoding: frames(in: bytes).filter { $0.type == 0 && $0.stream == stream }.flatMap(\.payload), as: UTF8.self)
  }

  /// Malformed requests on a stream (RFC 9113, section 8.1.1): each ends its stream, and nothing else.
  public static func malformedRequests(
    on stream: UInt32, authority: String = "localhost"
  ) -> [(what: String, bytes: [UInt8])] {
    func ask(_ fields: [(String, String)], ends: Bool = true) -> [UInt8] {
      request(stream, method: "POST", path: "/", authority: authority, fields: fields, ends: ends)
    }
    func head(_ fields: [(String, String)]) -> [UInt8] { headers(stream, literals(fields)) }
    let pseudo = [(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", authority)]
    return [
      ("a body that is too short", ask([("content-length", "1")], ends: false) + frame(0, flags: 1, stream: stream)),
      (
        "a body that is too long",
        ask([("content-length", "1")], ends: false) + frame(0, flags: 1, stream: stream, [1, 2])
      ),
      ("no body at all", ask([("content-length", "1")])),
      ("a content-length that is no number", ask([("content-length", "one")], ends: false)),
      ("a negative content-length", ask([("content-length", "-1")], ends: false)),
      ("two content-lengths", ask([("content-length", "1"), ("content-length", "2")], ends: false)),
      ("a name in capitals", ask([("X-Name", "1")])),
      ("a name with a space", ask([("x name", "1")])),
      ("a value with a line's end", ask([("x-name", "1\r\nhost: other")])),
      ("a field of HTTP/1.1", ask([("connection", "close")])),
      ("te that is not trailers", ask([("te", "gzip")])),
      ("an unknown pseudo-header", head(pseudo + [(":name", "1")])),
      ("an answer's pseudo-header", head(pseudo + [(":status", "200")])),
      ("a pseudo-header twice", head(pseudo + [(":path", "/other")])),
      ("a pseudo-header behind a field", head([("x-name", "1")] + pseudo)),
      ("no :method", head(Array(pseudo.dropFirst()))),
      ("no :path", head(pseudo.filter { $0.0 != ":path" })),
      ("an empty :path", head(pseudo.map { $0.0 == ":path" ? ($0.0, "") : $0 })),
      ("trailers that do not end", ask([], ends: false) + headers(stream, literals([("x-name", "1")]), ends: false)),
      ("trailers with a pseudo-header", ask([], ends: false) + headers(stream, literals([(":path", "/")]))),
    ]
  }
}
