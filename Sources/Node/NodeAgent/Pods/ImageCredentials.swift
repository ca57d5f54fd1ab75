import JSONDocument
import KubernetesAPI
import OCI

/// Who pulls images from which registry: the entries of a Docker configuration (`kubernetes.io/dockerconfigjson`, or the
/// older `kubernetes.io/dockercfg`), as `imagePullSecrets` name them.
struct ImageCredentials: Hashable, Sendable {
  /// A registry's host and, if given, the beginning of its repositories' names.
  let place: String
  let user: String
  let password: String

  /// The entries of secrets, in their order; what is malformed is left out.
  static func all(in secrets: [KubernetesObject]) -> [ImageCredentials] {
    secrets.flatMap { secret -> [ImageCredentials] in
      let data = ContainerEnvironment.data(of: secret)
      for (key, member) in [(".dockerconfigjson", "auths"), (".dockercfg", nil)] {
        guard let bytes = data[key], let json = try? JSONValue(parsing: bytes) else { continue }
        return (member.map { json[$0] } ?? json).members.compactMap { ImageCredentials($0.key, $0.value) }
      }
      return []
    }
  }

  private init?(_ address: String, _ entry: JSONValue) {
    var place = Substring(address)
    for scheme in ["https://", "http://"] where place.hasPrefix(scheme) { place = place.dropFirst(scheme.count) }
    while place.hasSuffix("/") { place = place.dropLast() }
    // Docker's own entry has the version of its protocol in the address.
    for version in ["/v1", "/v2"] where place.hasSuffix(version) { place = place.dropLast(version.count) }
    self.place = place == "index.docker.io" ? "docker.io" : String(place)
    if let user = entry["username"].string, let password = entry["password"].string {
      (self.user, self.password) = (user, password)
      return
    }
    guard let bytes = entry["auth"].string.flatMap(Base64.decode) else { return nil }
    let text = String(decoding: bytes, as: UTF8.self)
    guard let colon = text.firstIndex(of: ":") else { return nil }
    (user, password) = (String(text[..<colon]), String(text[text.index(after: colon)...]))
  }

  /// What a registry's answer to them is remembered by.
  var proof: ImageAccess.Proof { .of(user: user, password: password) }

  /// Whether they are meant for an image: of the same registry, and below the entry's path if it has one.
  func apply(to image: ImageReference) -> Bool {
    let name = "\(image.registry)/\(image.repository)"
    return name == place || name.hasPrefix(place + "/")
  }
}
