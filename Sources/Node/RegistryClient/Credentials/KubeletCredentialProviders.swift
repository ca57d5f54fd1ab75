import JSONDocument
import KubernetesAPI

/// Credentials from the plugins that kubelet uses (`credentialprovider.kubelet.k8s.io/v1`), run directly: kubelet asks them
/// only when it pulls, and tells nobody else.
///
/// Providers that need a token of the pod's service account are left out: there is no pod when a layer is read.
public actor KubeletCredentialProviders: CredentialSource {
  /// Why the configuration or an answer can't be used.
  public struct Failure: Error, CustomStringConvertible {
    public let description: String
  }

  private struct Provider {
    let name: String
    let patterns: [ImagePattern]
    let program: CredentialProgram
    let apiVersion: String
    let cacheDuration: Duration
  }

  private struct Answer {
    let credentials: [(pattern: ImagePattern, credential: RegistryCredential)]
    let until: ContinuousClock.Instant
  }

  private let path: String
  private let programs: String
  private var stamp: [Int64] = [-1]
  private var providers: [Provider] = []
  /// By provider, and what its answer is good for: an image, a registry, everything.
  private var answers: [String: Answer] = [:]

  /// - Parameters:
  ///   - configuration: kubelet's `--image-credential-provider-config`, a file of YAML or JSON.
  ///   - programs: kubelet's `--image-credential-provider-bin-dir`.
  public init(configuration: String, programs: String) {
    path = configuration
    self.programs = programs
  }

  public func credential(for place: RegistryPlace, rejected: RegistryCredential?) async throws -> RegistryCredential? {
    try load()
    var failure: (any Error)?
    for provider in providers where provider.patterns.contains(where: { $0.matches("\(place)") }) {
      do {
        if let known = kept(provider, place), let credential = Self.best(known, place), credential != rejected {
          return credential
        }
        if let credential = Self.best(try await ask(provider, place), place), credential != rejected {
          return credential
        }
      } catch { failure = error }
    }
    if let failure { throw failure }
    return nil
  }

  /// The one whose pattern says most.
  private static func best(_ answer: Answer, _ place: RegistryPlace) -> RegistryCredential? {
    answer.credentials.filter { $0.pattern.matches("\(place)") }
      .max { $0.pattern.description.utf8.count < $1.pattern.description.utf8.count }?.credential
  }

  // MARK: Answers

  private static func keys(_ provider: Provider, _ place: RegistryPlace) -> (
    image: String, registry: String, all: String
  ) {
    ("\(provider.name) image \(place)", "\(provider.name) registry \(place.host)", "\(provider.name) global")
  }

  private func kept(_ provider: Provider, _ place: RegistryPlace) -> Answer? {
    let keys = Self.keys(provider, place)
    return [keys.image, keys.registry, keys.all].lazy.compactMap { self.answers[$0] }.first { $0.until > .now }
  }

  private func ask(_ provider: Provider, _ place: RegistryPlace) async throws -> Answer {
    let question: JSONValue = [
      "kind": "CredentialProviderRequest", "apiVersion": .string(provider.apiVersion), "image": .string("\(place)"),
    ]
    let text = try await provider.program.answer(to: String(decoding: question.encoded(), as: UTF8.self))
    guard let json = try? JSONValue(parsing: text), json["kind"].string == "CredentialProviderResponse" else {
      throw Failure(description: "credential provider \(provider.name) answered no CredentialProviderResponse")
    }
    var credentials: [(pattern: ImagePattern, credential: RegistryCredential)] = []
    for (key, value) in json["auth"].members {
      guard let pattern = ImagePattern(key), let user = value["username"].string,
        let password = value["password"].string
      else { continue }
      credentials.append((pattern, user.isEmpty ? .identityToken(password) : .basic(user: user, password: password)))
    }
    let duration = json["cacheDuration"].string.flatMap(Self.duration) ?? provider.cacheDuration
    let answer = Answer(credentials: credentials, until: .now + duration)
    guard duration > .zero else { return answer }
    let keys = Self.keys(provider, place)
    if answers.count >= 1024 { answers.removeAll() }
    switch json["cacheKeyType"].string {
    case "Image": answers[keys.image] = answer
    case "Registry": answers[keys.registry] = answer
    case "Global": answers[keys.all] = answer
    default:
      throw Failure(
        description: "credential provider \(provider.name) gave no cacheKeyType (Image, Registry or Global)")
    }
    return answer
  }

  // MARK: Configuration

  private func load() throws {
    let now = BoundedFile.stamp(path)
    guard now != stamp else { return }
    guard let bytes = BoundedFile.read(path, limit: 1 << 20) else {
      throw Failure(description: "\(path) can't be read")
    }
    let documents: [JSONValue]
    do { documents = try YAML.parseAll(String(decoding: bytes, as: UTF8.self)) } catch {
      throw Failure(description: "\(path): \(error)")
    }
    var found: [Provider] = []
    for document in documents {
      guard document["kind"].string == "CredentialProviderConfig" else {
        throw Failure(description: "\(path) is no CredentialProviderConfig")
      }
      found += try document["providers"].elements.compactMap(provider)
    }
    providers = found
    answers = [:]
    stamp = now
  }

  private func provider(_ json: JSONValue) throws -> Provider? {
    guard let name = json["name"].string, !name.isEmpty, !name.contains("/"), name != ".." else {
      throw Failure(description: "\(path): a provider has no name, or one with a slash")
    }
    let version = json["apiVersion"].string ?? ""
    guard version.hasPrefix("credentialprovider.kubelet.k8s.io/v1") else {
      throw Failure(description: "\(path): provider \(name) has the unknown apiVersion \"\(version)\"")
    }
    // A token of the pod's service account can't be had here.
    if json["tokenAttributes"]["requireServiceAccount"].bool == true { return nil }
    let patterns = try json["matchImages"].elements.map { value in
      guard let pattern = value.string.flatMap({ ImagePattern($0) }) else {
        throw Failure(description: "\(path): provider \(name) has a pattern in matchImages without a host")
      }
      return pattern
    }
    var variables: [String: String] = [:]
    for variable in json["env"].elements {
      if let name = variable["name"].string, let value = variable["value"].string { variables[name] = value }
    }
    return Provider(
      name: name, patterns: patterns,
      program: CredentialProgram(
        program: "\(programs)/\(name)", arguments: json["args"].elements.compactMap(\.string), environment: variables),
      apiVersion: version, cacheDuration: json["defaultCacheDuration"].string.flatMap(Self.duration) ?? .zero)
  }

  /// Reads Go's durations: `12h`, `1h30m`, `0s`, `300ms`. At most a year.
  static func duration(_ text: String) -> Duration? {
    if text == "0" { return .zero }
    var rest = text[...]
    var total = Duration.zero
    let units: [(name: String, length: Duration)] = [
      ("ms", .milliseconds(1)), ("h", .seconds(3600)), ("m", .seconds(60)), ("s", .seconds(1)),
    ]
    guard !rest.isEmpty else { return nil }
    while !rest.isEmpty {
      let digits = rest.prefix { ("0"..."9").contains($0) || $0 == "." }
      rest = rest.dropFirst(digits.count)
      guard let number = Double(digits), number < 1e9, let unit = units.first(where: { rest.hasPrefix($0.name) }) else {
        return nil
      }
      rest = rest.dropFirst(unit.name.count)
      total += unit.length * number
    }
    return min(total, .seconds(365 * 86_400))
  }
}
