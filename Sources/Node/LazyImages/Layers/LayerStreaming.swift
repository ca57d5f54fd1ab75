import EROFS
import LayerStore
import OCI

/// Brings a plain layer the first time: decompressed while it comes in, straight into the place where it is mounted from.
/// Where decompression could begin again is noted on the way, so that the next time it is read before it is here.
struct LayerStreaming {
  let store: LayerStore
  let descriptor: Descriptor
  let blob: any BlobFetching
  let origin: ImageReference

  enum Outcome {
    case received
    /// A good layer as far as we know, with something that containerd's own unpacking may know better.
    case unsupported(why: String)
  }

  /// The registry sent something else than was asked for.
  struct OtherBytes: Error, CustomStringConvertible {
    let layer: Digest
    var description: String { "the registry sent other bytes for layer \(layer) than its digest names" }
  }

  /// - Throws: `LayerRefused` if the layer is hostile, `OtherBytes`, and what fetching and storing throw.
  func run() async throws -> Outcome {
    var reception = try store.receive(
      LayerKey(descriptor.digest), origin: origin, blobBytes: descriptor.size)
    do {
      let outcome = try await receive(into: &reception)
      if case .unsupported = outcome { reception.abort() }
      return outcome
    } catch {
      reception.abort()
      throw error
    }
  }

  private func receive(into reception: inout LayerReception) async throws -> Outcome {
    let passage = LayerPassage()
    try await blob.stream(urgency: .demand) { piece in
      try passage.take(piece) { try reception.write($0, at: $1) }
    }
    guard passage.digest == descriptor.digest else { throw OtherBytes(layer: descriptor.digest) }
    do {
      let (index, layout, tree) = try passage.finish()
      guard index.archiveBytes > 0 else { return .unsupported(why: "it is empty") }
      let deviceBytes = layout.deviceBytes(archive: index.archiveBytes)
      let writer = try EROFSWriter(
        tree,
        options: EROFSOptions(
          blockSize: .page, deviceBytes: [deviceBytes], uuid: EROFSIdentity.uuid(of: descriptor.digest)))
      try await reception.finish(index, layout, inodes: writer.inodeCount, traits: LayerTraits(tree)) { sink in
        try writer.write(to: &sink)
      }
      return .received
    } catch {
      switch UnreadableLayer(error) {
      case .refuse(let why): throw LayerRefused(layer: descriptor.digest, reason: why)
      case .unpack(let why): return .unsupported(why: why)
      case nil: throw error
      }
    }
  }
}
