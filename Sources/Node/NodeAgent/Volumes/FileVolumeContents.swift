import BoundedNumbers
import JSONDocument
import KubernetesAPI

/// What is in the files of configMap, secret, downwardAPI and projected volumes.
struct FileVolumeContents {
  let fields: FieldReference
  let lookup: ContainerEnvironment.Lookup
  let tokens: PodTokens

  /// Permission bits that a file of a volume can have (core/v1 `KeyToPath.mode`).
  private static let modes = Bounded<UInt32>("mode", 0...0o777)

  /// Whether a volume is made of files that the node agent writes.
  static func isFiles(_ volume: JSONValue) -> Bool {
    ["configMap", "secret", "downwardAPI", "projected"].contains { !volume[$0].isNull }
  }

  /// Whether the files may be secret: they are kept in memory then.
  static func isSecret(_ volume: JSONValue) -> Bool {
    ["secret", "downwardAPI", "projected"].contains { !volume[$0].isNull }
  }

  /// The files of a volume of the pod's specification.
  /// - Parameter directory: where they are published: tokens that lie there are kept until they are due.
  func files(of volume: JSONValue, in directory: String) async throws -> [String: PublishedFiles.File] {
    let ownership = FileOwnership(of: fields.pod)
    var files: [String: PublishedFiles.File] = [:]
    if volume["projected"].isNull {
      files = try await self.files(volume, nameKey: "secretName", defaultMode: 0o644)
    } else {
      let mode = volume["projected"]["defaultMode"].int ?? 0o644
      for source in volume["projected"]["sources"].elements {
        if let wanted = TokenProjection(source: source) {
          let published = PublishedFiles.bytes(of: wanted.path, in: directory)
          files[wanted.path] = ownership.token(
            try await tokens.token(wanted, published: published), mode: Self.modes.clamp(mode))
          continue
        }
        files.merge(try await self.files(source, nameKey: "name", defaultMode: mode)) { _, last in last }
      }
    }
    return files.mapValues(ownership.applied)
  }

  private func files(_ source: JSONValue, nameKey: String, defaultMode: Int) async throws
    -> [String: PublishedFiles.File]
  {
    if !source["configMap"].isNull {
      return try await keyed(source["configMap"], .configMaps, source["configMap"]["name"].string, defaultMode)
    }
    if !source["secret"].isNull {
      return try await keyed(source["secret"], .secrets, source["secret"][nameKey].string, defaultMode)
    }
    if !source["downwardAPI"].isNull { return try downward(source["downwardAPI"], defaultMode) }
    throw PodProblem(
      "ContainerCreating",
      "a projected source of kind \(source.members.keys.sorted().joined(separator: ", ")) is not supported",
      event: "FailedMount")
  }

  private func keyed(_ source: JSONValue, _ resource: Resource, _ name: String?, _ defaultMode: Int) async throws
    -> [String: PublishedFiles.File]
  {
    let mode = Self.modes.clamp(source["defaultMode"].int ?? defaultMode)
    let isOptional = source["optional"].bool == true
    guard let name, let object = try await lookup(resource, name) else {
      if isOptional { return [:] }
      throw PodProblem(
        "ContainerCreating", "\(resource.kind.lowercased()) \"\(name ?? "")\" not found", event: "FailedMount")
    }
    let data = ContainerEnvironment.data(of: object)
    guard !source["items"].elements.isEmpty else { return data.mapValues { .init(bytes: $0, mode: mode) } }
    var files: [String: PublishedFiles.File] = [:]
    for item in source["items"].elements {
      let (key, path) = (item["key"].string ?? "", item["path"].string ?? "")
      guard let bytes = data[key] else {
        if isOptional { continue }
        throw PodProblem(
          "ContainerCreating", "\(resource.kind.lowercased()) \"\(name)\" has no key \(key)", event: "FailedMount")
      }
      files[path] = .init(bytes: bytes, mode: item["mode"].int.map { Self.modes.clamp($0) } ?? mode)
    }
    return files
  }

  private func downward(_ source: JSONValue, _ defaultMode: Int) throws -> [String: PublishedFiles.File] {
    let mode = Self.modes.clamp(source["defaultMode"].int ?? defaultMode)
    var files: [String: PublishedFiles.File] = [:]
    for item in source["items"].elements {
      guard let path = item["path"].string else { continue }
      let text =
        try item["fieldRef"]["fieldPath"].string.map { try fields.value(at: $0) }
        ?? fields.resource(item["resourceFieldRef"], container: "")
      files[path] = .init(bytes: Array(text.utf8), mode: item["mode"].int.map { Self.modes.clamp($0) } ?? mode)
    }
    return files
  }
}
