import Edge
import Foundation
import NIOCore
import TestSupport
import Testing

/// Clients that take back what they asked for, in every state of a request: its place among those under way, and its
/// connection to the pod, must be free again.
@Suite("Attacks by requests taken back", .serialized)
struct ResetAttacks {
  /// What one stream sends; all of it is often read at once.
  static let floods: [(what: String, stream: @Sendable (UInt32) -> [UInt8])] = [
    ("RST_STREAM(CANCEL), CVE-2023-44487", { HTTP2Bytes.ask($0, path: "/never") + HTTP2Bytes.reset($0) }),
    ("RST_STREAM(NO_ERROR)", { HTTP2Bytes.ask($0, path: "/never") + HTTP2Bytes.reset($0, code: 0) }),
    ("RST_STREAM(REFUSED_STREAM)", { HTTP2Bytes.ask($0, path: "/never") + HTTP2Bytes.reset($0, code: 7) }),
    ("RST_STREAM of an unknown reason", { HTTP2Bytes.ask($0, path: "/never") + HTTP2Bytes.reset($0, code: 0xFFFF) }),
    ("RST_STREAM of answers under way", { HTTP2Bytes.ask($0, path: "/bytes/1000000") + HTTP2Bytes.reset($0) }),
    (
      "RST_STREAM of half a body",
      {
        HTTP2Bytes.ask($0, method: "POST", path: "/echo", ends: false) + HTTP2Bytes.frame(0, stream: $0, [1])
          + HTTP2Bytes.reset($0)
      }
    ),
    (
      "RST_STREAM, and the next stream before",
      { HTTP2Bytes.ask($0, path: "/never") + ($0 > 1 ? HTTP2Bytes.reset($0 - 2) : []) }
    ),
    // Streams that the server has to reset (CVE-2025-8671).
    (
      "a window that grows by nothing",
      { HTTP2Bytes.ask($0, path: "/never") + HTTP2Bytes.windowUpdate($0, by: 0) }
    ),
    (
      "a window beyond numbers",
      { HTTP2Bytes.ask($0, path: "/never") + HTTP2Bytes.windowUpdate($0, by: 0x7FFF_FFFF) }
    ),
    ("DATA after the end", { HTTP2Bytes.ask($0, path: "/never") + HTTP2Bytes.frame(0, stream: $0, [1]) }),
    (
      "more DATA than its length says",
      {
        HTTP2Bytes.ask($0, method: "POST", path: "/never", fields: [("content-length", "1")], ends: false)
          + HTTP2Bytes.frame(0, stream: $0, [1, 2])
      }
    ),
    (
      "trailers with a path",
      {
        HTTP2Bytes.ask($0, method: "POST", path: "/never", ends: false)
          + HTTP2Bytes.headers($0, HTTP2Bytes.block(path: "/", authority: Stage.host))
      }
    ),
    ("heads without a path", { HTTP2Bytes.headers($0, [0x82, 0x87]) }),
  ]

  @Test("as fast as they are made leave nothing behind, and others are served", arguments: floods)
  func flood(what: String, stream: @escaping @Sendable (UInt32) -> [UInt8]) async throws {
    let held = try await attempt(Attack(.outsider, "HTTP/2 flood: \(what)", on: .fairShare)) {
      let pod = try await Upstream()
      var outcome = AttackOutcome.through("nothing was seen")
      try await Stage.run([pod.endpoint]) { stage, routes in
        // More than the edge lets one connection do at once.
        let block = ByteBuffer(bytes: HTTP2Bytes.start + (0..<1500).flatMap { stream(2 * $0 + 1) })
        let sender = Task {
          // Cut off for being fast, it comes again.
          while !Task.isCancelled {
            try? await stage.http2 { reader, writer in
              try await writer.write(block)
              try await reader.drain()
            }
          }
        }
        var answers: [String] = []
        for _ in 0..<3 { answers.append(try await stage.curl(["--interface", "127.0.0.9"]).output) }
        sender.cancel()
        await sender.value
        let isQuiet = await eventually { routes.inFlight == 0 && stage.server.connectionCount == 0 }
        // Connections that were not needed in the end wait for others for a moment.
        let isFree = await eventually { pod.openCount == 0 }
        outcome = .check(
          isQuiet && isFree && pod.counts.mostOpen <= 200 && answers == Array(repeating: "hello from a\n", count: 3),
          "\(routes.inFlight) in flight on \(stage.server.connectionCount) connections, to the pod \(pod.openCount), "
            + "at most \(pod.counts.mostOpen), in all \(pod.counts.connections); \(answers)")
      }
      await pod.stop()
      return outcome
    }
    #expect(held)
  }

  /// Where a request is when its client leaves.
  enum State: String, Sendable, CaseIterable {
    case connecting = "before the pod takes the connection"
    case sending = "in the middle of its body"
    case waiting = "before the answer"
    case streaming = "in the middle of an answer that goes on"
    case blocked = "in the middle of an answer that nobody takes"
  }

  /// How it leaves.
  enum End: String, Sendable, CaseIterable {
    case cancel = "RST_STREAM(CANCEL)"
    case noError = "RST_STREAM(NO_ERROR)"
    case protocolError = "RST_STREAM(PROTOCOL_ERROR)"
    case badFrame = "a frame that ends the connection"
    case goAway = "GOAWAY and the end of the connection"
    case close = "the end of the connection"
  }

  private static let streamCount = 20

  @Test("give back everything, in every state", arguments: State.allCases, End.allCases)
  func leaves(state: State, end: End) async throws {
    let held = try await attempt(Attack(.outsider, "HTTP/2: \(end.rawValue) \(state.rawValue)", on: .fairShare)) {
      try await Self.outcome(in: state, requests: Self.streamCount) { stage, isThere, isGone in
        try await stage.http2 { reader, writer in
          try await writer.write(HTTP2Bytes.start)
          let streams = (0..<UInt32(Self.streamCount)).map { 2 * $0 + 1 }
          for stream in streams {
            switch state {
            case .connecting, .waiting: try await writer.write(HTTP2Bytes.ask(stream, path: "/never"))
            case .sending:
              try await writer.write(
                HTTP2Bytes.ask(stream, method: "POST", path: "/count", ends: false)
                  + HTTP2Bytes.frame(0, stream: stream, [1, 2, 3]))
            case .streaming: try await writer.write(HTTP2Bytes.ask(stream, path: "/sse"))
            case .blocked: try await writer.write(HTTP2Bytes.ask(stream, path: "/bytes/50000000"))
            }
          }
          try await isThere()
          switch end {
          case .cancel: try await writer.write(streams.flatMap { HTTP2Bytes.reset($0) })
          case .noError: try await writer.write(streams.flatMap { HTTP2Bytes.reset($0, code: 0) })
          case .protocolError: try await writer.write(streams.flatMap { HTTP2Bytes.reset($0, code: 1) })
          case .badFrame: try await writer.write(HTTP2Bytes.frame(6, [1]))
          case .goAway: return try await writer.write(HTTP2Bytes.goAway())
          case .close: return
          }
          try await isGone()
        }
      }
    }
    #expect(held)
  }

  @Test("give back everything over HTTP/1.1, in every state", arguments: State.allCases)
  func leavesOverHTTP1(state: State) async throws {
    let held = try await attempt(Attack(.outsider, "HTTP/1.1: leaves \(state.rawValue)", on: .fairShare)) {
      try await Self.outcome(in: state, requests: 1) { stage, isThere, _ in
        try await stage.connect { _, writer in
          let request =
            switch state {
            case .connecting, .waiting: "GET /never HTTP/1.1\r\nHost: \(Stage.host)\r\n\r\n"
            case .sending: "POST /count HTTP/1.1\r\nHost: \(Stage.host)\r\nContent-Length: 100\r\n\r\nabc"
            case .streaming: "GET /sse HTTP/1.1\r\nHost: \(Stage.host)\r\n\r\n"
            case .blocked: "GET /bytes/50000000 HTTP/1.1\r\nHost: \(Stage.host)\r\n\r\n"
            }
          try await writer.write(ByteBuffer(string: request))
          try await isThere()
        }
      }
    }
    #expect(held)
  }

  /// Runs a client that leaves, and looks at what it left behind.
  /// - Parameter leave: asks, waits for `isThere` (all its requests are in that state), and leaves; it may wait for
  ///   `isGone` before its connection ends.
  private static func outcome(
    in state: State, requests: Int,
    _ leave: (
      _ stage: Stage, _ isThere: @escaping @Sendable () async throws -> Void,
      _ isGone: @escaping @Sendable () async throws -> Void
    ) async throws -> Void
  ) async throws -> AttackOutcome {
    let (pod, full) = (try await Upstream(), try FullUpstream())
    var outcome = AttackOutcome.through("nothing was seen")
    // Whoever is not noticed to have left is here for ever.
    var limits = EdgeConfiguration.Limits()
    (limits.connect, limits.response, limits.silence) = (.hours(1), .hours(1), .hours(1))
    try await Stage.run([state == .connecting ? full.endpoint : pod.endpoint], limits: limits) { stage, routes in
      try await leave(
        stage,
        {
          try await eventually("\(requests) requests are \(state.rawValue)") {
            switch state {
            case .connecting: routes.inFlight == requests
            case .sending, .waiting: pod.counts.requests == requests
            case .streaming: pod.gatedCount == requests
            case .blocked: pod.counts.requests == requests && pod.counts.bytesWritten > requests << 16
            }
          }
        },
        { try await eventually("no request is under way") { routes.inFlight == 0 } })
      let isQuiet = await eventually { routes.inFlight == 0 && stage.server.connectionCount == 0 }
      let isFree = await eventually { pod.openCount == 0 }
      Stage.setPods(routes, [pod.endpoint])
      let answer = try await stage.curl([]).output
      outcome = .check(
        isQuiet && isFree && answer == "hello from a\n" && routes.traffic[Stage.app]?.inFlight == 0,
        "\(routes.inFlight) in flight on \(stage.server.connectionCount) connections, \(pod.openCount) to the pod, "
          + answer)
    }
    await pod.stop()
    full.stop()
    return outcome
  }
}

/// A pod that listens and takes no connection: those that it has not taken fill its queue, and others wait.
final class FullUpstream: Sendable {
  let endpoint: Endpoint
  private let sockets: [Int32]

  init() throws {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    func with<Result>(_ body: (UnsafeMutablePointer<sockaddr>, inout socklen_t) -> Result) -> Result {
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      return withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, &length) }
      }
    }
    func opened() throws -> Int32 {
      let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
      let number = socket(AF_INET, type, 0)
      guard number >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
      return number
    }
    let listener = try opened()
    guard with({ bind(listener, $0, $1) }) == 0, listen(listener, 0) == 0,
      with({ getsockname(listener, $0, &$1) }) == 0
    else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    // More than fit: the last ones are not answered, as whoever comes then.
    sockets =
      try [listener]
      + (0..<4).map { _ in
        let client = try opened()
        _ = with { connect(client, $0, $1) }
        return client
      }
    endpoint = Endpoint(address: "127.0.0.1", port: Int(UInt16(bigEndian: address.sin_port)))
  }

  func stop() { for number in sockets { close(number) } }
}
