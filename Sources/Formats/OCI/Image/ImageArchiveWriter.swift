import JSONDocument

/// What was written into an archive.
public struct PackedImage: Sendable, Hashable {
  public let name: ImageReference
  /// The manifest's digest: what a registry or containerd calls the image.
  public let digest: Digest
  /// Of the layer, compressed.
  public let layerBytes: Int64
  /// Members of the layer.
  public let entries: Int
}

/// Packs a directory tree as an image with one layer: an OCI image layout (image-spec "Image Layout") in one tar archive,
/// as `ctr images import`, `skopeo copy oci-archive:` and `podman load` read it.
///
/// The same tree, configuration and zlib give the same archive, bit for bit.
public enum ImageArchiveWriter {
  /// - Parameters:
  ///   - config: how the image runs; its layers are filled in here.
  ///   - spool: keeps the compressed layer until its digest is known.
  public static func write(
    _ tree: some FileTree, as name: ImageReference, config: ImageConfig, spool: some BlobSpool,
    to sink: some ByteSink
  ) throws -> PackedImage {
    let layer = try packLayer(tree, spool)
    var config = config
    config.diffIDs = [layer.diffID]
    let configBytes = config.json.encoded()
    let manifest = ImageManifest(
      config: Descriptor(mediaType: MediaType.config, digest: Digest(of: configBytes), size: Int64(configBytes.count)),
      layers: [Descriptor(mediaType: MediaType.layerGzip, digest: layer.digest, size: layer.size)])
    let manifestBytes = manifest.json.encoded()
    var descriptor = Descriptor(
      mediaType: MediaType.manifest, digest: Digest(of: manifestBytes), size: Int64(manifestBytes.count),
      platform: config.platform)
    descriptor.annotations[ImageAnnotation.containerdName] = name.description
    descriptor.annotations.merge(name.tag.map { [ImageAnnotation.referenceName: $0] } ?? [:]) { first, _ in first }

    var archive = TarWriter(sink)
    func file(_ path: String, _ content: [UInt8]) throws {
      try archive.append(TarEntry(path, .file(size: Int64(content.count))), content: content)
    }
    try file("oci-layout", (["imageLayoutVersion": "1.0.0"] as JSONValue).encoded())
    try file("index.json", ImageIndex(manifests: [descriptor]).json.encoded())
    try archive.append(TarEntry("blobs", .directory))
    try archive.append(TarEntry("blobs/sha256", .directory))
    try file("blobs/sha256/\(descriptor.digest.hex)", manifestBytes)
    try file("blobs/sha256/\(manifest.config.digest.hex)", configBytes)
    try archive.begin(TarEntry("blobs/sha256/\(layer.digest.hex)", .file(size: layer.size)))
    try layer.spool.replay { try archive.write($0) }
    try archive.endEntry()
    try archive.finish()
    return PackedImage(name: name, digest: descriptor.digest, layerBytes: layer.size, entries: layer.entries)
  }

  private struct Layer<Spool: BlobSpool> {
    let digest: Digest
    let size: Int64
    let diffID: Digest
    let entries: Int
    let spool: Spool
  }

  /// tar → digest (diff ID) → gzip → digest → spool
  private static func packLayer<Spool: BlobSpool>(_ tree: some FileTree, _ spool: Spool) throws -> Layer<Spool> {
    var writer = TarWriter(DigestSink(try GzipSink(DigestSink(spool))))
    let entries = try tree.entries().map { (LayerOrder($0), $0) }.sorted { $0.0 < $1.0 }.map(\.1)
    for entry in entries {
      try writer.begin(entry)
      if case .file = entry.kind { try tree.readContent(of: entry) { try writer.write($0) } }
      try writer.endEntry()
    }
    try writer.finish()
    try writer.withSink { try $0.base.finish() }
    let compressed = writer.sink.base.base
    return Layer(
      digest: compressed.hasher.digest, size: compressed.hasher.size, diffID: writer.sink.hasher.digest,
      entries: entries.count, spool: compressed.base)
  }
}
