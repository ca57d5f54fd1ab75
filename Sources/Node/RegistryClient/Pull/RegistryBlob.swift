import NIOCore
public import OCI

/// A blob at its registry.
///
/// Parts are asked for with single ranges. A part that breaks off is continued where it ended, at the same host or another.
/// Nothing is verified here: whoever asked for bytes knows their digests.
public struct RegistryBlob: BlobFetching {
  public let image: ImageReference
  public let digest: Digest
  /// In bytes, as its descriptor says; no request is spent to find it out.
  public let size: Int64
  let exchange: RegistryExchange

  /// - Throws: `RegistryError`, `CancellationError`.
  public func fetch(_ range: Range<Int64>, urgency: FetchUrgency) async throws -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(range.count)
    try await fetch(range, urgency: urgency) { bytes.append(contentsOf: $0) }
    return bytes
  }

  /// - Throws: `RegistryError`, `CancellationError`, and what `body` throws.
  public func stream(urgency: FetchUrgency, _ body: (ArraySlice<UInt8>) async throws -> Void) async throws {
    try await fetch(0..<size, urgency: urgency, body)
  }

  /// - Throws: `RegistryError`, `CancellationError`, and what `body` throws.
  public func fetch(
    _ range: Range<Int64>, urgency: FetchUrgency, _ body: (ArraySlice<UInt8>) async throws -> Void
  ) async throws {
    guard range.lowerBound >= 0, range.upperBound <= size else { throw OutOfBounds(range: range, size: size) }
    var position = range.lowerBound
    do {
      try await exchange.withHosts(of: image, .pull, progress: { position }) { host in
        while position < range.upperBound {
          try await part(position..<range.upperBound, of: host, urgency) { piece in
            position += Int64(piece.count)
            do { try await body(piece) } catch { throw Consumer(error: error) }
          }
        }
      }
    } catch let failure as Consumer { throw failure.error }
  }

  /// An error of whoever takes the bytes: no reason to ask again.
  private struct Consumer: Error { let error: any Error }

  /// Asks one host once. Gives it at least one byte of the range, from its beginning, or throws.
  private func part(
    _ range: Range<Int64>, of host: RegistryHost, _ urgency: FetchUrgency,
    _ take: (ArraySlice<UInt8>) async throws -> Void
  ) async throws {
    var request = RegistryRequest(path: "/blobs/\(digest)", reference: digest.description)
    request.urgency = urgency
    request.blob = digest
    let isWhole = range == 0..<size
    if !isWhole { request.headers.add(name: "range", value: "bytes=\(range.lowerBound)-\(range.upperBound - 1)") }
    try await exchange.send(request, to: host, image) { answer in
      var wanted = range
      /// Bytes before the range, which come although they were not asked for.
      var unwanted: Int64 = 0
      if answer.status == 206 {
        guard let content = answer.headers.first(name: "content-range").flatMap({ ContentRange($0) }),
          content.range.lowerBound == range.lowerBound, content.range.upperBound <= range.upperBound
        else { throw failure(.refusedRange, host, status: 206, "it sends another part than was asked for") }
        if let total = content.size, total != size {
          throw failure(.damaged, host, "it has \(total) bytes there, not the \(size) of the manifest")
        }
        wanted = content.range
      } else {
        let length = answer.headers.first(name: "content-length").flatMap { Int64($0) }
        if let length, length != size {
          throw failure(
            .damaged, host, status: answer.status, "it has \(length) bytes there, not the \(size) of the manifest")
        }
        if !isWhole {
          guard answer.status == 200, range.upperBound <= AnswerLimit.unwantedBlob else {
            throw failure(.refusedRange, host, status: answer.status, "it sends the whole blob when asked for a part")
          }
          unwanted = range.lowerBound
        }
      }
      var missing = Int64(wanted.count)
      do {
        for try await buffer in answer.body {
          exchange.statistics.count(host.api.authority) { $0.bytes += Int64(buffer.readableBytes) }
          var piece = Array(buffer.readableBytesView)[...]
          let skipped = min(unwanted, Int64(piece.count))
          piece = piece.dropFirst(Int(skipped))
          unwanted -= skipped
          piece = piece.prefix(Int(min(missing, Int64(piece.count))))
          missing -= Int64(piece.count)
          if !piece.isEmpty { try await take(piece) }
          // What follows was not asked for; the connection is given up for it.
          if missing == 0, !isWhole, answer.status != 206 { return }
        }
      } catch let error as Consumer { throw error } catch { throw HTTPWire.failure(error) }
      if missing == Int64(wanted.count) {
        throw failure(.unavailable(retryAfter: nil), host, status: answer.status, "it sends an empty answer")
      }
    }
  }

  private func failure(
    _ kind: RegistryError.Kind, _ host: RegistryHost, status: Int? = nil, _ reason: String
  ) -> RegistryError {
    RegistryError(
      kind, host: host.name, repository: image.repository, reference: digest.description, status: status,
      reason: reason)
  }
}
