import JSONDocument
import LinuxSystem
public import Logging

/// Credentials that somebody else brought: requests to pull that passed by on their way to containerd, or a test.
///
/// With a file they outlive the process, as the containers do that read by them; on tmpfs they don't outlive the machine.
public actor RememberedCredentials: CredentialSource {
  /// The newest first: pods of several tenants pull the same repository, each with its own.
  private var known: [RegistryPlace: [RegistryCredential]] = [:]
  private var order: [RegistryPlace] = []
  private let capacity: Int
  private let file: String?
  private let logger: Logger?
  /// Of one repository.
  private static let limit = 4

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
    while order.count > capacity { known[order.removeFirst()] = nil }
    save()
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
    return ((known[place] ?? []) + (known[ofHost] ?? [])).first { $0 != rejected }
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
