import JSONDocument
import LinuxSystem
public import Logging

/// Credentials that somebody else brought: requests to pull that passed by on their way to containerd, or a test.
///
/// One whose pull has not ended yet is tried after those that were good, and drives none of them out: whoever pulls
/// another's image with a wrong password changes nothing for him.
/// With a file they outlive the process, as the containers do that read by them; on tmpfs they don't outlive the machine.
public actor RememberedCredentials: CredentialSource {
  /// The newest first: pods of several tenants pull the same repository, each with its own.
  private var known: [RegistryPlace: [RegistryCredential]] = [:]
  private var order: [RegistryPlace] = []
  /// Brought by pulls that are under way; the newest last.
  private var trials: [RegistryPlace: [RegistryCredential]] = [:]
  private let capacity: Int
  private let file: String?
  private let logger: Logger?
  /// Of one repository.
  private static let limit = 16

  /// - Parameters:
  ///   - file: where they are kept, with mode 0600; what is there and can't be read is as good as nothing.
  ///   - capacity: repositories at most; the oldest are forgotten.
  ///   - logger: is told when the file can't be written; credentials are then known in memory alone.
  public init(file: String? = nil, capacity: Int = 1024, logger: Logger? = nil) {
    self.file = file
    self.logger = logger
    self.capacity = max(1, capacity)
    guard let file, let bytes = try? DurableFile.read(file, limit: 16 << 20), let kept = try? JSONValue(parsing: bytes)
    else { return }
    for entry in kept.elements {
      guard let host = entry["host"].string, let repository = entry["repository"].string else { continue }
      let credentials = entry["credentials"].elements.compactMap(Self.credential)
      let place = RegistryPlace(host: host, repository: repository)
      if !credentials.isEmpty, known.updateValue(credentials, forKey: place) == nil { order.append(place) }
    }
  }

  /// Keeps a credential for a repository, or for all of a host's if `repository` is empty.
  public func remember(_ credential: RegistryCredential, for place: RegistryPlace) {
    guard known[place]?.first != credential else { return }
    order.removeAll { $0 == place }
    order.append(place)
    known[place] = Array(([credential] + (known[place] ?? []).filter { $0 != credential }).prefix(Self.limit))
    while order.count > capacity { dropOne() }
    save()
  }

  /// Forgets the oldest repository of the host that has most of them: nobody's registry drives out another's.
  private func dropOne() {
    let counts = order.reduce(into: [String: Int]()) { $0[$1.host, default: 0] += 1 }
    let most = counts.values.max() ?? 0
    guard let index = order.firstIndex(where: { counts[$0.host] == most }) else { return }
    known[order.remove(at: index)] = nil
  }

  /// Takes a credential whose pull begins; `settle` ends it.
  public func begin(_ credential: RegistryCredential, for place: RegistryPlace) {
    trials[place] = Array(((trials[place] ?? []) + [credential]).suffix(64))
  }

  /// A pull has ended: a credential that was good is remembered, another is dropped unless it was good before.
  public func settle(_ credential: RegistryCredential, for place: RegistryPlace, isGood: Bool) {
    if let index = trials[place]?.firstIndex(of: credential) { trials[place]?.remove(at: index) }
    if trials[place]?.isEmpty == true { trials[place] = nil }
    if isGood { remember(credential, for: place) }
  }

  /// Drops a credential that turned out to be of no use; others for the place stay.
  public func forget(_ credential: RegistryCredential, for place: RegistryPlace) {
    guard let left = known[place]?.filter({ $0 != credential }), left != known[place] else { return }
    known[place] = left.isEmpty ? nil : left
    if left.isEmpty { order.removeAll { $0 == place } }
    save()
  }

  public func credential(for place: RegistryPlace, rejected: RegistryCredential?) -> RegistryCredential? {
    let ofHost = RegistryPlace(host: place.host, repository: "")
    return ((known[place] ?? []) + (known[ofHost] ?? []) + (trials[place] ?? []).reversed()).first { $0 != rejected }
  }

  private func save() {
    guard let file else { return }
    let entries = order.compactMap { place -> JSONValue? in
      guard let credentials = known[place] else { return nil }
      return [
        "host": .string(place.host), "repository": .string(place.repository),
        "credentials": .array(credentials.map(Self.json)),
      ]
    }
    do {
      try DurableFile.write(JSONValue.array(entries).encoded(), to: file, permissions: 0o600)
    } catch {
      logger?.warning("credentials of pulls will not outlive this process", metadata: ["error": "\(error)"])
    }
  }

  private static func json(_ credential: RegistryCredential) -> JSONValue {
    switch credential {
    case .basic(let user, let password): ["user": .string(user), "password": .string(password)]
    case .identityToken(let token): ["identityToken": .string(token)]
    case .bearer(let token): ["bearer": .string(token)]
    }
  }

  private static func credential(_ json: JSONValue) -> RegistryCredential? {
    if let user = json["user"].string, let password = json["password"].string {
      return .basic(user: user, password: password)
    }
    if let token = json["identityToken"].string { return .identityToken(token) }
    return json["bearer"].string.map { .bearer($0) }
  }
}
