import JSONDocument
import LinuxSystem
import OCI

/// Who has proved to a registry that they may have the images that are on this node.
///
/// An image that one pod pulled with its credentials is on the node for all; the registry's word counts for that pod alone.
/// So every pull is remembered, by the image and the repository it came from: whether anybody may have it, or with which
/// credentials (their digests) it was given. Others ask the registry again. Images that were loaded by hand came from no
/// registry and are free. (Kubernetes KEP-2535, "Ensure Secret Pulled Images".)
///
/// On disk below `S/node/image-access`: `<image>.json` of each image, and `<reference>.intent` while a pull runs, so that an
/// image whose pull was cut off by a crash counts as proved by nobody.
actor ImageAccess {
  /// What a registry gave an image for.
  enum Proof: Hashable, Sendable {
    case anybody
    /// The digest of the credentials.
    case credentials(Digest)

    static func of(user: String, password: String) -> Proof {
      .credentials(Digest(of: Array("\(user.utf8.count):\(user):\(password)".utf8)))
    }
  }

  /// Credentials that are remembered of one repository of an image; the oldest are forgotten, and asked again.
  static let limit = 256

  /// Of one image, by the repository (`registry/repository`) it was pulled from; the newest last.
  private typealias Proofs = [String: [Proof]]
  /// Stands for repositories that a damaged record named.
  private static let everyRepository = "*"

  private let directory: String
  private var known: [String: Proofs]?

  /// A reference whose pull is under way, or was cut off.
  private struct Intent {
    /// What the reference resolved to before: that image did not come by the pull.
    var before: String?
    var running = 0
    /// Nobody knows what the runtime made of a pull.
    var isCutOff = false
  }

  private var intents: [String: Intent] = [:]
  /// Pulls that have begun.
  private var pulls = 0

  init(directory: String) { self.directory = directory }

  // MARK: Asking

  /// Whether a pod may use an image that is here.
  /// - Parameters:
  ///   - image: what the reference resolved to, `sha256:…`.
  ///   - proofs: what the pod could show; asked for only when it matters.
  func allows(
    _ image: String, named reference: ImageReference, showing proofs: @Sendable () async throws -> [Proof]
  ) async throws -> Bool {
    try load()
    let given = known?[image].flatMap { $0[Self.repository(reference)] ?? $0[Self.everyRepository] }
    guard let given else { return intents[reference.description].map { $0.before == image } ?? true }
    if given.contains(.anybody) { return true }
    return try await proofs().contains(where: given.contains)
  }

  // MARK: Remembering

  /// A pull begins: until `pulled` or `failed`, nobody has proved anything about what it brings.
  /// - Parameter image: what the reference resolves to now.
  func begin(_ reference: ImageReference, before image: String?) throws {
    try load()
    let name = reference.description
    if intents[name] == nil {
      var json: JSONValue = ["reference": .string(name)]
      json.set("before", ifPresent: image.map { .string($0) })
      try DurableFile.write(json.encoded(), to: intentFile(name))
      intents[name] = Intent(before: image)
    }
    intents[name]?.running += 1
    pulls &+= 1
  }

  /// A registry gave the image.
  func pulled(_ image: String, named reference: ImageReference, for proof: Proof) throws {
    try load()
    guard let digest = Digest(image) else { throw SystemError("write", image, errno: 22) }
    var proofs = known?[image] ?? [:]
    var given = proofs[Self.repository(reference)] ?? []
    if given.last != proof {
      given.removeAll { $0 == proof }
      given = Array((given + [proof]).suffix(Self.limit))
      proofs[Self.repository(reference)] = given
      try DurableFile.write(Self.json(proofs).encoded(), to: "\(directory)/\(digest.hex).json")
      known?[image] = proofs
    }
    // What an earlier pull that was cut off left behind is known now.
    intents[reference.description]?.isCutOff = false
    end(reference)
  }

  /// A pull brought nothing.
  /// - Parameter isCutOff: whether the runtime may still bring the image.
  func failed(_ reference: ImageReference, isCutOff: Bool) {
    if isCutOff { intents[reference.description]?.isCutOff = true }
    end(reference)
  }

  private func end(_ reference: ImageReference) {
    let name = reference.description
    guard var intent = intents[name] else { return }
    intent.running = max(0, intent.running - 1)
    intents[name] = intent
    guard intent.running == 0, !intent.isCutOff else { return }
    intents[name] = nil
    // If it stays it does no harm but to whoever loads the image by hand and restarts this process.
    try? Directory.removeFile(intentFile(name))
  }

  /// What is remembered now, to be compared with what is on the node.
  struct Snapshot: Sendable {
    let images: Set<String>
    fileprivate let pulls: Int
  }

  func snapshot() throws -> Snapshot {
    try load()
    return Snapshot(images: Set(known?.keys.map { $0 } ?? []), pulls: pulls)
  }

  /// Forgets images that are gone from the node; not if there was a pull since the snapshot, which may have brought one back.
  func forget(_ images: Set<String>, since snapshot: Snapshot) throws {
    guard pulls == snapshot.pulls, intents.values.allSatisfy({ $0.running == 0 }) else { return }
    for image in images {
      if let digest = Digest(image) { try Directory.removeFile("\(directory)/\(digest.hex).json") }
      known?[image] = nil
    }
  }

  // MARK: On disk

  private static func repository(_ reference: ImageReference) -> String {
    "\(reference.registry)/\(reference.repository)"
  }

  private func intentFile(_ reference: String) -> String {
    "\(directory)/\(Digest(of: Array(reference.utf8)).hex).intent"
  }

  private func load() throws {
    guard known == nil else { return }
    try Directory.make(directory, permissions: 0o700)
    var found: [String: Proofs] = [:]
    for name in try Directory.names(in: directory) {
      let path = "\(directory)/\(name)"
      if name.hasSuffix(".intent"), let json = try? DurableFile.read(path).map({ try JSONValue(parsing: $0) }),
        let reference = json["reference"].string
      {
        intents[reference] = Intent(before: json["before"].string, isCutOff: true)
      } else if name.hasSuffix(".json"), let digest = Digest(hex: String(name.dropLast(5))) {
        let json = (try? DurableFile.read(path, limit: 16 << 20).map { try JSONValue(parsing: $0) }) ?? .null
        // What can't be read was restricted, whatever its repository.
        found[digest.description] = json.members.isEmpty ? [Self.everyRepository: []] : Self.proofs(json)
      }
    }
    known = found
  }

  private static func json(_ proofs: Proofs) -> JSONValue {
    .object(
      proofs.mapValues { given in
        .array(
          given.map { proof in
            switch proof {
            case .anybody: "anybody"
            case .credentials(let digest): .string(digest.description)
            }
          })
      })
  }

  private static func proofs(_ json: JSONValue) -> Proofs {
    json.members.mapValues { list in
      list.elements.compactMap { $0.string }.compactMap { text in
        text == "anybody" ? .anybody : Digest(text).map { .credentials($0) }
      }
    }
  }
}
