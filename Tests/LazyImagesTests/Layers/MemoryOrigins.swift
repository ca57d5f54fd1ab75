import EStargz
import Foundation
import JSONDocument
import LazyImages
import Locking
import OCI

/// Images whose blobs lie in memory; counts what is asked of it.
final class MemoryOrigins: LayerOrigins {
  struct Gone: Error {}

  struct Requests: Sendable {
    var manifests = 0
    var ranges: [Range<Int64>] = []
    var streams = 0
  }

  private let blobs: [Digest: [UInt8]]
  private let manifests: [ImageReference: ImageManifest]
  /// Of images without one of their own.
  private let manifest: ImageManifest
  private let requests = Mutex(Requests())
  private let isAway = Mutex(false)

  var seen: Requests { requests.withLock { $0 } }

  /// - Parameter layers: of every image but `images`.
  init(_ layers: [TestLayer], images: [ImageReference: [TestLayer]] = [:]) {
    let all = layers + images.values.flatMap { $0 }
    blobs = Dictionary(all.map { ($0.descriptor.digest, $0.blob) }, uniquingKeysWith: { first, _ in first })
    let config = Descriptor(mediaType: MediaType.config, digest: Digest(of: [UInt8]()), size: 0)
    func manifest(_ layers: [TestLayer]) -> ImageManifest {
      ImageManifest(config: config, layers: layers.map(\.descriptor))
    }
    self.manifest = manifest(layers)
    manifests = images.mapValues(manifest)
  }

  /// What starts read elsewhere.
  private let profile = Mutex<StartProfile?>(nil)

  func share(_ profile: StartProfile) { self.profile.withLock { $0 = profile } }

  func startProfile(of image: ImageReference, manifest: Digest) async throws -> StartProfile? {
    profile.withLock { $0 }
  }

  /// From now on nothing is answered.
  func goAway() { isAway.withLock { $0 = true } }

  func manifest(of image: ImageReference, digest: Digest?) async throws -> ImageManifest {
    requests.withLock { $0.manifests += 1 }
    guard !isAway.withLock({ $0 }) else { throw Gone() }
    return manifests[image] ?? manifest
  }

  func blob(_ digest: Digest, bytes: Int64, of image: ImageReference) -> any BlobFetching {
    Blob(origins: self, bytes: blobs[digest])
  }

  private struct Blob: BlobFetching {
    let origins: MemoryOrigins
    let bytes: [UInt8]?

    func fetch(_ range: Range<Int64>, urgency: FetchUrgency) async throws -> [UInt8] {
      origins.requests.withLock { $0.ranges.append(range) }
      guard let bytes, !origins.isAway.withLock({ $0 }) else { throw Gone() }
      return Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)])
    }

    func stream(urgency: FetchUrgency, _ body: (ArraySlice<UInt8>) async throws -> Void) async throws {
      origins.requests.withLock { $0.streams += 1 }
      guard let bytes, !origins.isAway.withLock({ $0 }) else { throw Gone() }
      for start in stride(from: 0, to: bytes.count, by: 5000) {
        try await body(bytes[start..<min(start + 5000, bytes.count)])
      }
    }
  }
}

/// A layer with its descriptor.
struct TestLayer: Sendable {
  var descriptor: Descriptor
  var blob: [UInt8]

  /// A layer made by another program; see Tests/Fixtures/layers.
  init(fixture name: String) throws {
    var url = URL(fileURLWithPath: #filePath)
    for _ in 0..<3 { url.deleteLastPathComponent() }
    let directory = url.appendingPathComponent("Fixtures/layers")
    let json = try JSONValue(parsing: Array(Data(contentsOf: directory.appendingPathComponent("\(name).json"))))
    guard let descriptor = Descriptor(json: json) else { throw CocoaError(.fileReadCorruptFile) }
    self.descriptor = descriptor
    blob = Array(try Data(contentsOf: directory.appendingPathComponent("\(name).layer")))
  }

  /// An archive, made into a layer of this kind.
  init(_ archive: [UInt8], _ kind: ImageKind) async throws {
    switch kind {
    case .eStargz, .zstdChunked:
      var blob: [UInt8] = []
      let conversion = LayerConversion(to: kind == .eStargz ? .estargz : .zstdChunked, level: 1, chunkBytes: 8192)
      descriptor = try await conversion.convert(MemoryBytes(archive), to: &blob).descriptor
      self.blob = blob
    default:
      var sink = try GzipSink([UInt8](), level: 1)
      try sink.write(archive[...])
      try sink.finish()
      let plain = TestLayer(plain: sink.base)
      (descriptor, blob) = (plain.descriptor, plain.blob)
    }
  }

  /// A plain layer of these bytes.
  init(plain blob: [UInt8]) {
    self.blob = blob
    descriptor = Descriptor(
      mediaType: MediaType.layerTar, digest: Digest(of: blob), size: Int64(blob.count))
  }
}
