import EROFS
import EStargz
public import LayerStore
import LinuxSystem
import Locking
public import Logging
public import OCI
public import ServiceLifecycle

/// Decides how layers come to this machine, and brings them into the store.
///
/// All layers of an image begin together, when the first of them is asked for: containerd asks for one after another, and
/// would otherwise wait for a round trip of each.
public actor LayerResolver: RemoteLayers, Service {
  private let store: LayerStore
  private let origins: any LayerOrigins
  private let calls: CallRegister
  private let logger: Logger
  private var records: ImageRecords
  private let recordsFile: ImageRecordsFile
  private var recordsVersion = 0
  private var profiles: StartProfiles
  private let layers = Flights<Digest, LayerKey?>()
  private let manifests = Flights<String, ImageManifest>()
  private let sharedProfiles = Flights<Digest, Void>()
  /// Images whose registry was asked for a profile.
  private var askedForProfile: Set<Digest> = []
  /// Of images that were asked for lately, so that the layers of one share a request.
  private let knownManifests = Mutex<[String: ImageManifest]>([:])
  /// The image by whose manifest a layer was asked for last.
  private var manifestOfLayer: [Digest: Digest] = [:]

  /// Images that were mounted lately, and since when: what they read is their start.
  private var starts: [Digest: ContinuousClock.Instant] = [:]

  private static let learnInterval = Duration.seconds(5)
  private static let manifestLimit = 4096
  private static let startLength = Duration.seconds(60)

  /// - Parameter directory: for records and learned orders; its own.
  public init(
    store: LayerStore, origins: any LayerOrigins, directory: String, calls: CallRegister = CallRegister(),
    logger: Logger
  ) throws {
    self.store = store
    self.calls = calls
    self.origins = origins
    self.logger = logger
    records = try ImageRecords(path: "\(directory)/images.json")
    recordsFile = ImageRecordsFile(path: "\(directory)/images.json")
    profiles = try StartProfiles(directory: "\(directory)/profiles")
  }

  public func run() async {
    await cancelWhenGracefulShutdown { [layers, manifests, sharedProfiles] in
      await withDiscardingTaskGroup { group in
        group.addTask { await layers.run() }
        group.addTask { await manifests.run() }
        group.addTask { await sharedProfiles.run() }
        group.addTask { [self] in
          while (try? await Task.sleep(for: Self.learnInterval)) != nil { await learn() }
        }
      }
    }
  }

  // MARK: RemoteLayers

  public func resolve(_ request: LayerRequest) async throws -> LayerKey? {
    if let manifest = request.manifest {
      // What is lost with them is the order of one start.
      if manifestOfLayer.count >= Self.manifestLimit { manifestOfLayer.removeAll() }
      manifestOfLayer[request.layer] = manifest
      await askForProfile(of: request.image, manifest)
    }
    for layer in request.following where layer != request.layer {
      await layers.begin(layer) { [self] in try await bring(layer, of: request) }
    }
    return try await CallRegister.waiting(.transfer, "layer \(request.layer) to be brought") {
      try await layers.value(request.layer) { [self] in try await bring(request.layer, of: request) }
    }
  }

  public func mount(_ key: LayerKey) async throws -> String {
    if let manifest = manifestOfLayer[key.blob], starts[manifest] == nil { starts[manifest] = .now }
    return try await store.mount(key)
  }

  public func release(_ key: LayerKey) async throws {
    await learn()
    try await store.unmount(key)
  }

  public func usage(of key: LayerKey) async throws -> LayerUsage {
    let usage = try await store.usage(of: key)
    return LayerUsage(bytes: usage.bytes, inodes: usage.inodes)
  }

  public func identity(of key: LayerKey) async -> LayerIdentity? { await store.identity(of: key) }
  public func prove(_ key: LayerKey) async throws -> LayerIdentity { try await store.prove(key) }
  public nonisolated var identified: AsyncStream<LayerKey> { store.identified }
  public func traits(of key: LayerKey) async throws -> LayerTraits { try await store.traits(of: key) }

  public func note(_ key: LayerKey, _ verdict: LayerVerdict) async {
    let mode = records.decisions[key.blob]?.mode ?? .unpacked
    let decision =
      switch verdict {
      case .unpacked(let why): LayerDecision(layer: key.blob, mode: .unpacked, reason: why)
      case .refused(let why): LayerDecision(layer: key.blob, mode: mode, reason: "refused: \(why)")
      }
    do { try await note(decision) } catch {
      logger.warning("a decision is not kept", metadata: ["layer": "\(key)", "error": "\(error)"])
    }
  }

  // MARK: Status

  public func images() -> [ImageRecord] { records.images.values.sorted { $0.image < $1.image } }
  public func decisions() -> [Digest: LayerDecision] { records.decisions }

  // MARK: One layer

  /// Brings one layer; `nil`: left to containerd.
  private func bring(_ layer: Digest, of request: LayerRequest) async throws -> LayerKey? {
    try await calls.track("bringing layer \(layer) of \(request.image)") { try await fetch(layer, of: request) }
  }

  private func fetch(_ layer: Digest, of request: LayerRequest) async throws -> LayerKey? {
    let key = LayerKey(layer)
    if let state = await store.state(of: key) {
      try await note(request)
      if state != .complete, records.decisions[layer]?.mode == .streamed {
        try await note(
          LayerDecision(layer: layer, mode: .indexed, reason: "a plain layer that was read on this machine before"))
      }
      try await prefetch(key, of: request, marked: nil)
      return key
    }
    do {
      let manifest = try await manifest(of: request)
      try await note(request.image, manifest: request.manifest, layers: manifest.layers.map(\.digest))
      guard let descriptor = manifest.layers.first(where: { $0.digest == layer }) else {
        return try await leave(layer, "the image's manifest does not name the layer")
      }
      return try await bring(descriptor, of: request)
    } catch let error as LayerRefused {
      logger.error("layer refused", metadata: ["layer": "\(layer)", "reason": "\(error.reason)"])
      throw error
    } catch is CancellationError {
      throw CancellationError()
    } catch {
      logger.warning(
        "layer is left to containerd",
        metadata: ["layer": "\(layer)", "image": "\(request.image)", "error": "\(error)"])
      return try await leave(layer, "\(error)")
    }
  }

  private func bring(_ descriptor: Descriptor, of request: LayerRequest) async throws -> LayerKey? {
    let blob = origins.blob(descriptor.digest, bytes: descriptor.size, of: request.image)
    var why = ""
    let table = try await CallRegister.waiting(.transfer, "the layer's table of contents") {
      try await TableFetch(descriptor: descriptor, blob: blob).read()
    }
    switch table {
    case .lazy(let layer):
      do {
        return try await add(layer, descriptor, request)
      } catch let error as EROFSError {
        why = "its files cannot be written as EROFS: \(error)"
      }
    case .plain(let reason):
      why = reason
    }
    let key = LayerKey(descriptor.digest)
    let streaming = LayerStreaming(store: store, descriptor: descriptor, blob: blob, origin: request.image)
    // Decompression and writes wait for the disk.
    let outcome = try await CallRegister.waiting(.transfer, "the layer's blob") {
      try await LayerStore.filling { try await streaming.run() }
    }
    switch outcome {
    case .received:
      try await note(LayerDecision(layer: descriptor.digest, mode: .streamed, reason: why))
      return key
    case .unsupported(let reason):
      return try await leave(descriptor.digest, reason)
    }
  }

  private func add(_ layer: LazyLayer, _ descriptor: Descriptor, _ request: LayerRequest) async throws -> LayerKey {
    let key = LayerKey(descriptor.digest)
    let writer = try EROFSWriter(
      layer.tree,
      options: EROFSOptions(
        blockSize: .page, deviceBytes: [layer.deviceBytes], uuid: EROFSIdentity.uuid(of: descriptor.digest)))
    try await store.add(
      LayerDescription(
        key: key, origin: request.image, content: .chunks(layer.chunks, layer.format), deviceBytes: layer.deviceBytes,
        inodes: writer.inodeCount, blobBytes: descriptor.size, traits: LayerTraits(layer.tree))
    ) { sink in try writer.write(to: &sink) }
    try await note(
      LayerDecision(
        layer: descriptor.digest, mode: .lazy, reason: "\(layer.format.rawValue), \(layer.chunks.chunks.count) chunks")
    )
    try await prefetch(key, of: request, marked: layer.prefetch)
    return key
  }

  /// What is fetched before anybody reads: what the last start of the image read, else what its builder marked.
  private func prefetch(_ key: LayerKey, of request: LayerRequest, marked: Range<Int64>?) async throws {
    let learned = try await learned(key, request)
    if !learned.isEmpty {
      try await store.prefetch(key, learned)
    } else if let marked {
      try await store.prefetch(key, blob: marked)
    }
  }

  private func learned(_ key: LayerKey, _ request: LayerRequest) async throws -> [Range<Int64>] {
    guard let manifest = request.manifest else { return [] }
    return try await CallRegister.waiting(.machine, "what an earlier start has read") {
      try await BlockingWork.run { [profiles] in profiles.ranges(of: key.blob, in: manifest) ?? [] }
    }
  }

  /// Asks an image's registry what its starts read, once, if none was learned here. Nobody waits for the answer: layers that are
  /// here when it comes are fetched ahead then, later ones find it on the disk.
  private func askForProfile(of image: ImageReference, _ manifest: Digest) async {
    guard !askedForProfile.contains(manifest) else { return }
    if askedForProfile.count >= Self.manifestLimit { askedForProfile.removeAll() }
    askedForProfile.insert(manifest)
    await sharedProfiles.begin(manifest) { [self, profiles, origins, store, logger] in
      guard try await BlockingWork.run({ !profiles.isKnown(manifest) }) else { return }
      do {
        guard let profile = try await origins.startProfile(of: image, manifest: manifest) else { return }
        try await BlockingWork.run { try profiles.keep(profile.layers, of: manifest) }
        for (layer, ranges) in profile.layers where await store.state(of: LayerKey(layer)) != nil {
          try await store.prefetch(LayerKey(layer), ranges)
        }
      } catch {
        await askAgain(manifest)
        logger.debug("no profile of its start", metadata: ["image": "\(image)", "error": "\(error)"])
      }
    }
  }

  private func askAgain(_ manifest: Digest) { askedForProfile.remove(manifest) }

  /// Keeps what images that were started lately have read, for their next start.
  private func learn() async {
    for (manifest, began) in starts {
      // What is read later belongs to the work, not to the start.
      if ContinuousClock.now - began > Self.startLength { starts[manifest] = nil }
      guard let record = records.images.values.first(where: { $0.manifest == manifest }) else { continue }
      var reads: [Digest: [Range<Int64>]] = [:]
      for layer in record.layers {
        let recorded = await store.recordedReads(of: LayerKey(layer))
        if !recorded.isEmpty { reads[layer] = recorded }
      }
      do { try await BlockingWork.run { [profiles, reads] in try profiles.keep(reads, of: manifest) } } catch {
        logger.warning("a start is not learned", metadata: ["image": "\(record.image)", "error": "\(error)"])
      }
    }
  }

  private func leave(_ layer: Digest, _ why: String) async throws -> LayerKey? {
    try await note(LayerDecision(layer: layer, mode: .unpacked, reason: why))
    return nil
  }

  private func note(_ decision: LayerDecision) async throws {
    if records.note(decision) { try await keepRecords() }
  }

  private func note(_ image: ImageReference, manifest: Digest?, layers: [Digest]) async throws {
    if records.note(image, manifest: manifest, layers: layers) { try await keepRecords() }
  }

  private func keepRecords() async throws {
    recordsVersion += 1
    let (records, version, file) = (records, recordsVersion, recordsFile)
    try await CallRegister.waiting(.machine, "the records of images") {
      try await BlockingWork.run { try file.write(records, version: version) }
    }
  }

  private func note(_ request: LayerRequest) async throws {
    guard records.images[request.image.description]?.manifest != request.manifest || request.manifest == nil else {
      return
    }
    // The manifest is worth a request only for status: what the labels tell must do.
    guard !request.following.isEmpty, records.images[request.image.description]?.layers.contains(request.layer) != true
    else { return }
    try await note(request.image, manifest: request.manifest, layers: request.following)
  }

  private func manifest(of request: LayerRequest) async throws -> ImageManifest {
    let name = request.manifest?.description ?? request.image.description
    let (image, digest) = (request.image, request.manifest)
    return try await CallRegister.waiting(.transfer, "the manifest of \(name)") {
      try await manifests.value(name) {
        // Whoever came just after another's flight had landed finds here what that brought.
        if let known = self.knownManifests.withLock({ $0[name] }) { return known }
        let manifest = try await self.origins.manifest(of: image, digest: digest)
        // A tag may move: only what has a digest is remembered.
        if digest != nil {
          self.knownManifests.withLock {
            if $0.count >= 64 { $0.removeAll() }
            $0[name] = manifest
          }
        }
        return manifest
      }
    }
  }
}
