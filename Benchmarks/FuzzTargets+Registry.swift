import JSONDocument
import OCI
import RegistryClient

/// Parsers of what registries answer and of how they are configured.
extension FuzzTarget {
  static var registries: [FuzzTarget] {
    [
      FuzzTarget(name: "TOML", corpus: [Array(hosts.utf8)]) { input in
        guard let table = try? TOMLParser.parse(input) else { return false }
        guard Set(table.keys).count == table.keys.count, table.keys.allSatisfy({ table[$0] != nil }) else {
          throw BrokenPromise(description: "a table has a key twice, or one without a value")
        }
        return true
      },
      FuzzTarget(name: "WWW-Authenticate", corpus: challenges.map { Array($0.utf8) }) { input in
        let challenges = AuthenticationChallenge.parse(String(decoding: input, as: UTF8.self))
        guard challenges.count <= 16,
          challenges.allSatisfy({ !$0.scheme.isEmpty && $0.scheme == $0.scheme.lowercased() })
        else { throw BrokenPromise(description: "a challenge without a scheme, or too many") }
        return !challenges.isEmpty
      },
      FuzzTarget(
        name: "tokens", corpus: [Array(#"{"token":"abc","access_token":"def","expires_in":300,"issued_at":"x"}"#.utf8)]
      ) { input in
        guard let token = try? RegistryToken(parsing: input) else { return false }
        guard token.lifetime >= .zero, token.text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
          throw BrokenPromise(description: "a token that can't be sent")
        }
        return true
      },
      FuzzTarget(name: "manifests", corpus: manifests.map { Array($0.utf8) }) { input in
        guard let json = try? JSONValue(parsing: input) else { return false }
        if let manifest = ImageManifest(json: json) {
          guard ImageManifest(json: manifest.json) == manifest else {
            throw BrokenPromise(description: "a manifest is not the same after writing and reading")
          }
          return true
        }
        return ImageIndex(json: json) != nil || ImageConfig(json: json) != nil
      },
      FuzzTarget(name: "image patterns", corpus: [Array("*.dkr.ecr.*.amazonaws.com:443/team".utf8)]) { input in
        guard let pattern = ImagePattern(String(decoding: input, as: UTF8.self)) else { return false }
        return pattern.matches("123.dkr.ecr.eu.amazonaws.com:443/team/app")
      },
    ]
  }

  private static let hosts = """
    server = "https://registry-1.docker.io" # comment
    a.b."c" = [1, 'x', { k = true }]
    [host."https://mirror.example:5000/v2"]
      capabilities = ["pull", "resolve"]
      ca = [
        "a.pem",
      ]
      [host."https://mirror.example:5000/v2".header]
        x-token = ["\\u00e9\\t"]
    """

  private static let challenges = [
    #"Bearer realm="https://auth.example/token",service="r \"x\"",scope="repository:a/b:pull,push""#,
    "Negotiate, Basic realm=plain, charset=\"UTF-8\"",
  ]

  private static let manifests: [String] = {
    let digest = "sha256:" + String(repeating: "0a", count: 32)
    let descriptor = #"{"mediaType":"x","digest":"\#(digest)","size":10,"annotations":{"a":"b"}}"#
    let platform = #"{"digest":"\#(digest)","size":1,"platform":{"os":"linux","architecture":"amd64"}}"#
    return [
      #"{"schemaVersion":2,"config":\#(descriptor),"layers":[\#(descriptor),\#(descriptor)]}"#,
      #"{"schemaVersion":2,"manifests":[\#(platform)]}"#,
      #"{"os":"linux","architecture":"amd64","config":{"Env":["A=b"]},"rootfs":{"diff_ids":["\#(digest)"]}}"#,
    ]
  }()
}
