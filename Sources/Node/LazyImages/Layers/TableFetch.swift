import EStargz
import OCI

/// Fetches and reads a layer's table of contents.
struct TableFetch {
  let descriptor: Descriptor
  let blob: any BlobFetching
  var limits = LayerTOCLimits()

  /// Why a layer cannot be read lazily though it may be a good layer.
  enum Finding {
    case lazy(LazyLayer)
    case plain(why: String)
  }

  /// - Throws: what fetching throws. A damaged table is no error: the layer's digest protects its bytes as a plain layer.
  func read() async throws -> Finding {
    do {
      guard let (location, table) = try await locate() else {
        return .plain(why: "the layer has no table of contents that its manifest vouches for")
      }
      guard location.isVerifiable else {
        return .plain(why: "its table of contents cannot be verified: the manifest names no digest of it")
      }
      let layer = try LazyLayer(toc: table, at: location, contentEnd: descriptor.size, limits: limits)
      guard layer.chunks.isVerifiable else {
        return .plain(why: "its table of contents has chunks without digests")
      }
      return .lazy(layer)
    } catch let error as LayerTOCError {
      return .plain(why: "\(error)")
    } catch let error as LayerError {
      return .plain(why: "\(error)")
    }
  }

  /// How much of a layer's end is asked for at first. A table takes 46 to 61 bytes for each file (measured on seven layers
  /// of 26 to 4001 files), so the most is enough for some 3500 files; the rest of a longer one costs a round trip more.
  private static let guessBytes: ClosedRange<Int64> = 64 << 10...192 << 10

  /// The table, with one request where its place is announced or it is small; with two at most.
  private func locate() async throws -> (TOCLocation, [UInt8])? {
    if let location = TOCLocation(descriptor), let range = location.range {
      guard Int64(range.count) <= limits.bytes else { throw LayerTOCError(.tooLarge(limitBytes: limits.bytes)) }
      return (location, try await blob.fetch(range, urgency: .demand))
    }
    guard TOCLocation.mayHaveFooter(descriptor) else { return nil }
    let guess = min(
      descriptor.size, max(Self.guessBytes.lowerBound, min(Self.guessBytes.upperBound, descriptor.size / 64)))
    let tail = try await blob.fetch(descriptor.size - guess..<descriptor.size, urgency: .demand)
    let footer = Array(tail.suffix(Int(TOCLocation.footerBytes)))
    let location = try TOCLocation(footer: footer, of: descriptor)
    guard let range = location.range else { return nil }
    guard Int64(range.count) <= limits.bytes else { throw LayerTOCError(.tooLarge(limitBytes: limits.bytes)) }
    let tailStart = descriptor.size - guess
    var table: [UInt8] = []
    if range.lowerBound < tailStart {
      table = try await blob.fetch(range.lowerBound..<min(tailStart, range.upperBound), urgency: .demand)
    }
    if range.upperBound > tailStart {
      // number: places within the tail that was read
      table += tail[Int(max(range.lowerBound, tailStart) - tailStart)..<Int(range.upperBound - tailStart)]
    }
    return (location, table)
  }
}
