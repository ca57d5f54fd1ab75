import JSONDocument
import KubernetesAPI

/// One change, as a watch reports it (`metav1.WatchEvent`).
public enum WatchEvent: Sendable {
  case added(KubernetesObject)
  case modified(KubernetesObject)
  case deleted(KubernetesObject)
  /// Nothing changed up to this resourceVersion.
  case bookmark(resourceVersion: String)
}

/// The events of a watch: one JSON document a line.
public struct WatchEvents: AsyncSequence, Sendable {
  public typealias Element = WatchEvent
  private let stream: ByteStream

  init(_ stream: ByteStream) { self.stream = stream }

  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(lines: LineIterator(stream.makeAsyncIterator())) }

  public struct AsyncIterator: AsyncIteratorProtocol {
    var lines: LineIterator

    /// - Throws: `APIStatus` for an `ERROR` event.
    public mutating func next() async throws -> WatchEvent? { try await nextWithBytes()?.event }

    /// The next event, and the object's own bytes as they came, if they can be cut out of the line.
    mutating func nextWithBytes() async throws -> (event: WatchEvent, bytes: [UInt8]?)? {
      while let line = try await lines.next() {
        func bytes() -> [UInt8]? {
          // Servers write compact JSON; the scanner is not for anything else.
          guard let range = JSONScanner.range(of: ["object"], in: line), line[range].first == UInt8(ascii: "{"),
            line[range].last == UInt8(ascii: "}")
          else { return nil }
          return Array(line[range])
        }
        let event = try JSONValue(parsing: line, limits: JSONLimits(bytes: 64 << 20))
        let object = KubernetesObject(json: event["object"])
        switch event["type"].string {
        case "ADDED": return (.added(object), bytes())
        case "MODIFIED": return (.modified(object), bytes())
        case "DELETED": return (.deleted(object), nil)
        case "BOOKMARK": return (.bookmark(resourceVersion: object.resourceVersion), nil)
        case "ERROR": throw APIStatus(json: event["object"], httpStatus: event["object"]["code"].int ?? 500)
        default: continue  // a later version's event
        }
      }
      return nil
    }
  }
}

/// Cuts chunks into lines; a line is at most 64 MiB.
struct LineIterator {
  private var chunks: ByteStream.AsyncIterator
  private var buffer: [UInt8] = []
  private var start = 0
  private var searched = 0

  init(_ chunks: ByteStream.AsyncIterator) { self.chunks = chunks }

  mutating func next() async throws -> [UInt8]? {
    while true {
      if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        let line = Array(buffer[start..<end])
        start = end + 1
        searched = start
        if start == buffer.count {
          buffer.removeAll(keepingCapacity: buffer.capacity < 1 << 20)
          start = 0
          searched = 0
        }
        if line.isEmpty { continue }
        return line
      }
      searched = buffer.count
      guard let chunk = try await chunks.next() else { return nil }
      guard buffer.count - start + chunk.count <= 64 << 20 else {
        throw APIStatus(.internalError, "the server sent an event of more than 64 MiB")
      }
      if start > 0 {
        buffer.removeFirst(start)
        searched -= start
        start = 0
      }
      buffer += chunk
    }
  }
}
