import OCI

/// How a layer is converted.
public struct LayerConversion: Sendable {
  public var format: LayerFormat
  /// Of zlib (1 to 9) or zstd (1 to 19).
  public var level: Int32
  /// Large files are cut into pieces of this size.
  public var chunkBytes: Int64
  /// Paths (in the form of `LayerPath.plain`) that go first, in this order, and are prefetched; others keep their order.
  public var prioritized: [[UInt8]]
  /// How many pieces are compressed at once.
  public var parallelism: Int

  public init(
    to format: LayerFormat, level: Int32? = nil, chunkBytes: Int64 = 4 << 20, prioritized: [[UInt8]] = [],
    parallelism: Int = 2
  ) {
    self.format = format
    self.level = level ?? (format == .estargz ? 6 : 3)
    self.chunkBytes = max(4096, chunkBytes)
    self.prioritized = prioritized
    self.parallelism = max(1, parallelism)
  }
}

/// What a conversion gave.
public struct ConvertedLayer: Sendable, Hashable {
  /// Of the new blob, with the annotations that let others find and verify the table of contents.
  public let descriptor: Descriptor
  /// Of the new uncompressed archive.
  public let diffID: Digest
  /// Prioritised paths that are in the layer.
  public let foundPrioritized: Int
}

extension LayerConversion {
  /// Converts a layer's uncompressed tar archive. Equal archives and settings give equal bytes, however many pieces are
  /// compressed at once. Attributes and names pass through bit for bit: the members' own headers are kept.
  /// - Parameters:
  ///   - archive: the tar archive.
  ///   - sink: where the new blob goes.
  ///   - progress: is told how many bytes of content were taken, now and then.
  /// - Throws: `TarError`, `LayerError` or `LayerTOCError` for archives that cannot be converted to what shows the same files, `CancellationError`, and what reading
  ///   and writing throw.
  public func convert(
    _ archive: some RandomAccessBytes, to sink: inout some ByteSink, progress: (Int64) -> Void = { _ in }
  ) async throws -> ConvertedLayer {
    let map = try TarMap(archive)
    let order = MemberOrder(map.members, prioritized: prioritized)
    try order.check(map.members)
    let segments = SegmentPlan(order.items, format: format, chunkBytes: chunkBytes).segments
    var writer = ConvertedLayerWriter(format: format, items: order.items)
    var blob = DigestSink(PassingSink(sink))
    try await compress(segments, of: archive) { segment, result in
      try writer.take(segment, result, to: &blob)
      progress(writer.contentBytes)
    }
    try writer.finish(level: level, to: &blob)
    sink = blob.base.base
    let hasher = blob.hasher
    return ConvertedLayer(
      descriptor: Descriptor(
        mediaType: format == .estargz ? MediaType.layerGzip : MediaType.layerZstd, digest: hasher.digest,
        size: hasher.size, annotations: writer.annotations),
      diffID: writer.archiveHash.digest, foundPrioritized: order.found)
  }

  /// Compresses segments in batches on several tasks and gives them out in order.
  private func compress(
    _ segments: [Segment], of archive: some RandomAccessBytes,
    _ body: (Segment, CompressedSegment) throws -> Void
  ) async throws {
    let batches = Self.batches(of: segments)
    try await withThrowingTaskGroup(of: (Int, [CompressedSegment]).self) { group in
      var next = 0
      var waiting: [Int: [CompressedSegment]] = [:]
      func start() {
        guard next < batches.count else { return }
        let (number, batch) = (next, batches[next])
        next += 1
        group.addTask {
          let compressor = try SegmentCompressor(format, level: level)
          return (number, try segments[batch].map { try compressor.compress($0, of: archive) })
        }
      }
      for _ in 0..<parallelism * 2 { start() }
      for number in batches.indices {
        while waiting[number] == nil {
          guard let (done, results) = try await group.next() else { throw CancellationError() }
          waiting[done] = results
        }
        try Task.checkCancellation()
        for (segment, result) in zip(segments[batches[number]], waiting.removeValue(forKey: number) ?? []) {
          try body(segment, result)
        }
        start()
      }
    }
  }

  /// Ranges of segments of about a megabyte, so that small files do not cost a task each.
  private static func batches(of segments: [Segment]) -> [Range<Int>] {
    var batches: [Range<Int>] = []
    var start = 0
    var bytes: Int64 = 0
    for (index, segment) in segments.enumerated() {
      bytes += segment.length
      if bytes >= 1 << 20 || index == segments.count - 1 {
        batches.append(start..<index + 1)
        (start, bytes) = (index + 1, 0)
      }
    }
    return batches
  }
}

/// Lends a sink to another that wants to own one.
private struct PassingSink<Base: ByteSink>: ByteSink {
  var base: Base
  init(_ base: Base) { self.base = base }
  mutating func write(_ bytes: ArraySlice<UInt8>) throws { try base.write(bytes) }
}
