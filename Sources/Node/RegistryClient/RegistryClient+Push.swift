import JSONDocument
import NIOHTTP1
public import OCI

/// Something in a registry that belongs to a manifest: a signature, an index of its layers.
public struct Referrer: Sendable, Hashable {
  /// Of the referrer's manifest.
  public var descriptor: Descriptor
  /// What it is, as a media type; empty if it does not say.
  public var artifactType: String

  public init(descriptor: Descriptor, artifactType: String) {
    self.descriptor = descriptor
    self.artifactType = artifactType
  }

  init?(json: JSONValue) {
    guard let descriptor = Descriptor(json: json) else { return nil }
    self.init(descriptor: descriptor, artifactType: json["artifactType"].string ?? "")
  }

  var json: JSONValue {
    var json = descriptor.json
    json["artifactType"] = .string(artifactType)
    return json
  }
}

extension RegistryClient {
  /// What refers to a manifest: by the API for it, or where a registry has none, by the tag `sha256-<digits>`
  /// (distribution specification 1.1, "Listing Referrers").
  public func referrers(_ image: ImageReference, of digest: Digest, artifactType: String? = nil)
    async throws(RegistryError) -> [Referrer]
  {
    var all: [Referrer]
    do throws(RegistryError) {
      let query = artifactType.map { ["artifactType=\(HTTPAddress.encode($0))"] } ?? []
      all = try await list(image, "/referrers/\(digest)", query, capability: .referrers)
    } catch {
      guard error.kind == .notFound else { throw error }
      all = try await tagged(image, Self.referrersTag(digest))
    }
    if let artifactType { all.removeAll { $0.artifactType != artifactType } }
    return all
  }

  /// Puts a blob into a repository, if it is not there.
  public func push(blob bytes: [UInt8], mediaType: String, to image: ImageReference)
    async throws(RegistryError) -> Descriptor
  {
    let digest = Digest(of: bytes)
    var look = RegistryRequest(
      method: .HEAD, capability: .push, path: "/blobs/\(digest)", actions: "pull,push", reference: "\(digest)")
    let isThere: Bool
    do throws(RegistryError) {
      isThere = try await answer(look, image) { _ in true }
    } catch {
      guard error.kind == .notFound else { throw error }
      isThere = false
    }
    if !isThere {
      look.method = .POST
      look.path = "/blobs/uploads/"
      // Every try begins a new upload: what became of a part that broke off is not known.
      let begin = look
      let exchange = exchange
      do {
        try await exchange.withHosts(of: image, .push) { host in
          let location = try await exchange.send(begin, to: host, image) { answer in
            await answer.drain()
            return answer.headers.first(name: "location") ?? ""
          }
          var upload = begin
          upload.method = .PUT
          upload.location = location
          upload.query = ["digest=\(HTTPAddress.encode("\(digest)"))"]
          upload.headers = ["content-type": "application/octet-stream"]
          upload.body = bytes
          try await exchange.send(upload, to: host, image) { await $0.drain() }
        }
      } catch { throw failure(error, image, "\(digest)") }
    }
    return Descriptor(mediaType: mediaType, digest: digest, size: Int64(bytes.count))
  }

  /// Puts a manifest into a repository.
  ///
  /// A manifest with a `subject` becomes a referrer of it, also in registries that have no API for referrers; there two who
  /// push at once may lose one of the two entries (distribution specification 1.1, "Pushing Manifests with Subject").
  ///
  /// - Parameters:
  ///   - tag: the manifest is reached by its digest alone if nil.
  ///   - replaces: whether other referrers of its type are listed no more, where the list is ours to write.
  public func push(
    manifest bytes: [UInt8], mediaType: String = MediaType.manifest, to image: ImageReference, tag: String? = nil,
    replaces: Bool = false
  )
    async throws(RegistryError) -> Descriptor
  {
    let digest = Digest(of: bytes)
    let descriptor = Descriptor(mediaType: mediaType, digest: digest, size: Int64(bytes.count))
    var request = RegistryRequest(
      method: .PUT, capability: .push, path: "/manifests/\(tag ?? "\(digest)")", actions: "pull,push",
      reference: tag ?? "\(digest)")
    request.headers = ["content-type": mediaType]
    request.body = bytes
    let knowsSubject = try await answer(request, image) { $0.headers.contains(name: "oci-subject") }
    guard !knowsSubject, let json = try? JSONValue(parsing: bytes), let subject = Descriptor(json: json["subject"])
    else { return descriptor }
    let tag = Self.referrersTag(subject.digest)
    var known = try await tagged(image, tag)
    guard !known.contains(where: { $0.descriptor.digest == digest }) else { return descriptor }
    let type = json["artifactType"].string ?? json["config"]["mediaType"].string ?? ""
    if replaces { known.removeAll { $0.artifactType == type } }
    var listed = descriptor
    listed.annotations = json["annotations"].strings
    known.append(Referrer(descriptor: listed, artifactType: type))
    let index: JSONValue = [
      "schemaVersion": 2, "mediaType": .string(MediaType.index), "manifests": .array(known.map(\.json)),
    ]
    _ = try await push(manifest: index.encoded(), mediaType: MediaType.index, to: image, tag: tag)
    return descriptor
  }

  /// Puts something beside a manifest that its annotations say all of.
  /// - Parameters:
  ///   - artifactType: what it is, as a media type; others of that type are listed no more, where the list is ours to write.
  ///   - subject: the manifest.
  /// - Returns: the referrer's own manifest.
  public func push(
    artifactType: String, annotations: [String: String], subject: Descriptor, to image: ImageReference
  ) async throws(RegistryError) -> Descriptor {
    // An empty JSON object stands where nothing is (image specification 1.1, "Guidance for an empty descriptor").
    let empty = try await push(blob: Array("{}".utf8), mediaType: "application/vnd.oci.empty.v1+json", to: image)
    let manifest: JSONValue = [
      "schemaVersion": 2, "mediaType": .string(MediaType.manifest), "artifactType": .string(artifactType),
      "config": empty.json, "layers": [empty.json], "subject": subject.json, "annotations": .strings(annotations),
    ]
    return try await push(manifest: manifest.encoded(), to: image, replaces: true)
  }

  private static func referrersTag(_ digest: Digest) -> String { "sha256-\(digest.hex)" }

  /// The referrers that a tag lists; none if there is no such tag.
  private func tagged(_ image: ImageReference, _ tag: String) async throws(RegistryError) -> [Referrer] {
    do throws(RegistryError) {
      return try await list(image, "/manifests/\(tag)", [], capability: .resolve)
    } catch {
      guard error.kind == .notFound else { throw error }
      return []
    }
  }

  private func list(
    _ image: ImageReference, _ path: String, _ query: [String], capability: RegistryHost.Capability
  ) async throws(RegistryError) -> [Referrer] {
    var request = RegistryRequest(capability: capability, path: path, reference: "")
    request.query = query
    request.headers = ["accept": MediaType.index]
    let bytes = try await answer(request, image) { try await $0.collect(limit: AnswerLimit.referrers) }
    guard let bytes, let json = try? JSONValue(parsing: bytes, limits: JSONLimits(bytes: AnswerLimit.referrers)) else {
      throw RegistryError(
        .malformed, host: image.registry, repository: image.repository,
        reason: "its list of referrers is no JSON, or too long")
    }
    return json["manifests"].elements.compactMap { Referrer(json: $0) }
  }

  private func answer<Result>(
    _ request: RegistryRequest, _ image: ImageReference, _ use: (HTTPWire.Answer) async throws -> Result
  ) async throws(RegistryError) -> Result {
    let exchange = exchange
    do {
      return try await exchange.withHosts(of: image, request.capability) { host in
        try await exchange.send(request, to: host, image, use)
      }
    } catch { throw failure(error, image, request.reference) }
  }
}
