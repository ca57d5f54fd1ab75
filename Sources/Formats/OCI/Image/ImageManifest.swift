import JSONDocument

/// Points at content by digest (image-spec "Content Descriptors").
public struct Descriptor: Sendable, Hashable {
  public var mediaType: String
  public var digest: Digest
  /// In bytes.
  public var size: Int64
  public var platform: Platform?
  public var annotations: [String: String]

  public init(
    mediaType: String, digest: Digest, size: Int64, platform: Platform? = nil, annotations: [String: String] = [:]
  ) {
    self.mediaType = mediaType
    self.digest = digest
    self.size = size
    self.platform = platform
    self.annotations = annotations
  }

  /// `nil` if digest or size are missing or malformed.
  public init?(json: JSONValue) {
    guard let digest = json["digest"].string.flatMap({ Digest($0) }), let size = json["size"].int, size >= 0
    else { return nil }
    self.init(
      mediaType: json["mediaType"].string ?? "", digest: digest, size: Int64(size),
      platform: Platform(json: json["platform"]), annotations: json["annotations"].strings)
  }

  public var json: JSONValue {
    var json: JSONValue = [
      "mediaType": .string(mediaType), "digest": .string(digest.description), "size": .integer(size),
    ]
    json.set("platform", ifPresent: platform?.json)
    if !annotations.isEmpty { json["annotations"] = .strings(annotations) }
    return json
  }
}

/// What machine an image is for: `linux/amd64`.
public struct Platform: Sendable, Hashable, CustomStringConvertible {
  public var os: String
  /// Go's name: `amd64`, `arm64`.
  public var architecture: String

  public init(os: String = "linux", architecture: String) {
    self.os = os
    self.architecture = architecture
  }

  public init?(json: JSONValue) {
    guard let os = json["os"].string, let architecture = json["architecture"].string else { return nil }
    self.init(os: os, architecture: architecture)
  }

  public var json: JSONValue { ["os": .string(os), "architecture": .string(architecture)] }
  public var description: String { "\(os)/\(architecture)" }

  /// The platform this program was built for.
  public static var current: Platform {
    #if arch(arm64)
      Platform(architecture: "arm64")
    #else
      Platform(architecture: "amd64")
    #endif
  }
}

/// An image for one platform: its configuration and layers (image-spec "Image Manifest").
public struct ImageManifest: Sendable, Hashable {
  public var config: Descriptor
  public var layers: [Descriptor]
  public var annotations: [String: String]

  public init(config: Descriptor, layers: [Descriptor], annotations: [String: String] = [:]) {
    self.config = config
    self.layers = layers
    self.annotations = annotations
  }

  /// `nil` if this is no manifest.
  public init?(json: JSONValue) {
    let layers = json["layers"].elements.map(Descriptor.init(json:))
    guard json["schemaVersion"].int == 2, let config = Descriptor(json: json["config"]), !layers.contains(nil)
    else { return nil }
    self.init(config: config, layers: layers.compactMap { $0 }, annotations: json["annotations"].strings)
  }

  public var json: JSONValue {
    var json: JSONValue = [
      "schemaVersion": 2, "mediaType": .string(MediaType.manifest), "config": config.json,
      "layers": .array(layers.map(\.json)),
    ]
    if !annotations.isEmpty { json["annotations"] = .strings(annotations) }
    return json
  }
}

/// Manifests of several images or platforms (image-spec "Image Index").
public struct ImageIndex: Sendable, Hashable {
  public var manifests: [Descriptor]

  public init(manifests: [Descriptor]) { self.manifests = manifests }

  /// `nil` if this is no index.
  public init?(json: JSONValue) {
    let manifests = json["manifests"].elements.map(Descriptor.init(json:))
    guard json["schemaVersion"].int == 2, !json["manifests"].isNull, !manifests.contains(nil) else { return nil }
    self.init(manifests: manifests.compactMap { $0 })
  }

  public var json: JSONValue {
    [
      "schemaVersion": 2, "mediaType": .string(MediaType.index), "manifests": .array(manifests.map(\.json)),
    ]
  }
}
