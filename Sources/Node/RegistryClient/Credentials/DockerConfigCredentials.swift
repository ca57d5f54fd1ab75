import JSONDocument
import KubernetesAPI

/// Credentials of Docker's `config.json`: its own entries, and helpers that it names (`docker-credential-NAME`, Docker's
/// documentation, "Credential helpers"). The file is read again when it changed.
public actor DockerConfigCredentials: CredentialSource {
  /// Why the file can't be used.
  public struct Failure: Error, CustomStringConvertible {
    public let description: String
  }

  private let path: String
  private var stamp: [Int64] = [-1]
  private var config: JSONValue = .null

  /// - Parameter path: of `config.json`. It need not be there.
  public init(path: String) { self.path = path }

  public func credential(for place: RegistryPlace, rejected: RegistryCredential?) async throws -> RegistryCredential? {
    try load()
    let helpers = config["credHelpers"].strings
    if let helper = Self.names(of: place.host).lazy.compactMap({ helpers[$0] }).first ?? config["credsStore"].string {
      if let credential = try await ask(helper, place.host) { return credential }
    }
    return entry(for: place).flatMap(Self.credential)
  }

  private func load() throws {
    let now = BoundedFile.stamp(path)
    guard now != stamp else { return }
    config = .null
    if !now.isEmpty {
      guard let bytes = BoundedFile.read(path, limit: 1 << 20), let json = try? JSONValue(parsing: bytes) else {
        throw Failure(description: "\(path) is no JSON")
      }
      config = json
    }
    stamp = now
  }

  /// The entry with the longest name that the repository is below.
  private func entry(for place: RegistryPlace) -> JSONValue? {
    var best: (length: Int, entry: JSONValue)?
    for (name, entry) in config["auths"].members {
      let key = Self.place(name)
      guard "\(place)" == key || "\(place)".hasPrefix(key + "/"), key.utf8.count > best?.length ?? 0 else { continue }
      best = (key.utf8.count, entry)
    }
    return best?.entry
  }

  /// `https://index.docker.io/v1/` means `docker.io`.
  private static func place(_ address: String) -> String {
    var place = address[...]
    for scheme in ["https://", "http://"] where place.hasPrefix(scheme) { place = place.dropFirst(scheme.count) }
    while place.hasSuffix("/") { place = place.dropLast() }
    for version in ["/v1", "/v2"] where place.hasSuffix(version) { place = place.dropLast(version.count) }
    return ["index.docker.io", "registry-1.docker.io"].contains(place) ? "docker.io" : String(place)
  }

  /// Under which names a host may stand in `credHelpers`.
  private static func names(of host: String) -> [String] {
    host == "docker.io" ? ["https://index.docker.io/v1/", "index.docker.io", "docker.io"] : [host, "https://\(host)"]
  }

  private static func credential(_ entry: JSONValue) -> RegistryCredential? {
    if let token = entry["identitytoken"].string, !token.isEmpty { return .identityToken(token) }
    if let token = entry["registrytoken"].string, !token.isEmpty { return .bearer(token) }
    if let user = entry["username"].string, let password = entry["password"].string, !user.isEmpty {
      return .basic(user: user, password: password)
    }
    guard let bytes = entry["auth"].string.flatMap(Base64.decode) else { return nil }
    let text = String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    guard let colon = text.firstIndex(of: ":") else { return nil }
    return .basic(user: String(text[..<colon]), password: String(text[text.index(after: colon)...]))
  }

  private func ask(_ helper: String, _ host: String) async throws -> RegistryCredential? {
    guard !helper.isEmpty, helper.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "/") }) else {
      throw Failure(description: "\(path) names a helper that can't be a program's name")
    }
    let address = host == "docker.io" ? "https://index.docker.io/v1/" : host
    let program = CredentialProgram(program: "docker-credential-\(helper)", arguments: ["get"])
    let answer = try await program.answer(to: address)
    guard !answer.isEmpty else { return nil }
    guard let json = try? JSONValue(parsing: answer), let user = json["Username"].string,
      let secret = json["Secret"].string
    else { throw Failure(description: "docker-credential-\(helper) answered something that is no credential") }
    if user.isEmpty && secret.isEmpty { return nil }
    return user == "<token>" ? .identityToken(secret) : .basic(user: user, password: secret)
  }
}
