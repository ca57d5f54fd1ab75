import OCI

/// Ways in which an image is made.
enum ImageKind: String, CaseIterable, Sendable {
  case plain = "plain"
  case gzip = "gzip"
  case zstd = "zstd"
  case eStargz = "our estargz"
  case zstdChunked = "our zstd:chunked"
  case eStargzOfStargz = "stargz-snapshotter's estargz"
  case zstdChunkedOfStargz = "stargz-snapshotter's zstd:chunked"
  /// As podman, buildah and CRI-O's tools write it, too: all by the library containers/storage.
  case zstdChunkedOfSkopeo = "skopeo's zstd:chunked"

  /// Whether its layers have tables of contents.
  var isLazyAtOnce: Bool { self != .plain && self != .gzip && self != .zstd }
}

extension ContainerdFixture {
  /// Makes an image of layers, each what a script makes of an empty directory, and pushes it.
  func push(_ kind: ImageKind, _ image: String, _ layers: [String], _ daemon: ImagesDaemon) async throws {
    switch kind {
    case .plain: try await push(image, layers)
    case .gzip: try await push(image, layers, compression: .gzip)
    case .zstd: try await push(image, layers, compression: .zstd)
    case .eStargz: try await convertByUs("estargz", image, layers, daemon)
    case .zstdChunked: try await convertByUs("zstd:chunked", image, layers, daemon)
    case .eStargzOfStargz: try await convertByStargz("--estargz", image, layers)
    case .zstdChunkedOfStargz: try await convertByStargz("--zstdchunked", image, layers)
    case .zstdChunkedOfSkopeo: try await convertBySkopeo(image, layers)
    }
  }

  private func convertByUs(_ format: String, _ image: String, _ layers: [String], _ daemon: ImagesDaemon) async throws {
    let (plain, name) = ("\(registry)/plain:1", "\(registry)/\(image)")
    try await push("plain:1", layers, compression: .gzip)
    try await daemon.shell.succeed(
      "cd \(directory) && nagaya image convert image.tar converted.tar --format \(format)", seconds: 120)
    try await shell.succeed(
      """
      ctr -n pushing images import --local --no-unpack \(directory)/converted.tar
      ctr -n pushing images tag \(plain) \(name)
      ctr -n pushing images push --plain-http --local \(name) && ctr -n pushing images remove --sync \(plain) \(name)
      """, seconds: 120)
  }

  private func convertByStargz(_ options: String, _ image: String, _ layers: [String]) async throws {
    let (plain, name) = ("\(registry)/plain:1", "\(registry)/\(image)")
    // This converter's tables of contents have whole seconds only.
    let layers = layers.map { "\($0)\nfind . -mindepth 1 -exec touch -h -d @1650000000 {} +" }
    try await push("plain:1", layers, compression: .gzip)
    try await shell.succeed(
      """
      ctr -n pushing images import --local --no-unpack \(directory)/image.tar
      ctr-remote -n pushing images convert --oci \(options) \(plain) \(name)
      ctr -n pushing images push --plain-http --local \(name) && ctr -n pushing images remove --sync \(plain) \(name)
      """, seconds: 120)
  }

  private func convertBySkopeo(_ image: String, _ layers: [String]) async throws {
    try await push("plain:1", layers, compression: .gzip)
    // It keeps what it knows of blobs in /var/lib: not for longer than this.
    let manifest = try await shell.succeed(
      """
      unshare -m --propagation private bash -ec 'mount -t tmpfs tmpfs /var/lib
      skopeo copy --quiet --insecure-policy --tmpdir \(directory) --dest-tls-verify=false \
        --dest-compress-format zstd:chunked oci-archive:\(directory)/image.tar docker://\(registry)/\(image)
      skopeo inspect --raw --tls-verify=false docker://\(registry)/\(image)'
      """, seconds: 120)
    for annotation in ["manifest-position", "manifest-checksum", "tarsplit-position"] {
      guard manifest.contains("io.github.containers.zstd-chunked.\(annotation)") else {
        throw NotConverted(manifest: manifest)
      }
    }
  }

  /// skopeo did not do what it was asked for.
  struct NotConverted: Error { let manifest: String }
}
