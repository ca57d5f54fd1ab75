import Testing

@testable import RegistryClient

@Suite("Sources of credentials", .serialized)
struct CredentialTests {
  private func place(_ host: String, _ repository: String = "team/app") -> RegistryPlace {
    RegistryPlace(host: host, repository: repository)
  }

  @Test("Docker's configuration gives the entry that fits best, and what it holds now")
  func docker() async throws {
    let directory = try TemporaryDirectory()
    let source = DockerConfigCredentials(path: "\(directory.path)/config.json")
    #expect(try await source.credential(for: place("a.example"), rejected: nil) == nil)
    try directory.write(
      "config.json",
      #"""
      {"auths": {"https://index.docker.io/v1/": {"auth": "dTpw"},
                 "a.example": {"username": "all", "password": "1"},
                 "https://a.example/team/": {"username": "team", "password": "2"},
                 "b.example:5000": {"identitytoken": "it", "auth": "dTo="},
                 "c.example": {"registrytoken": "rt"}, "d.example": {}, "e.example": {"auth": "bm9jb2xvbg=="}}}
      """#)
    func credential(_ host: String, _ repository: String = "team/app") async throws -> RegistryCredential? {
      try await source.credential(for: place(host, repository), rejected: nil)
    }
    #expect(try await credential("docker.io", "library/x") == .basic(user: "u", password: "p"))
    #expect(try await credential("a.example") == .basic(user: "team", password: "2"))
    #expect(try await credential("a.example", "teams/x") == .basic(user: "all", password: "1"))
    #expect(try await credential("b.example:5000") == .identityToken("it"))
    #expect(try await credential("b.example") == nil)
    #expect(try await credential("c.example") == .bearer("rt"))
    #expect(try await credential("d.example") == nil)
    #expect(try await credential("e.example") == nil)
    try directory.write("config.json", #"{"auths": {"a.example": {"username": "n", "password": "changed"}}}"#)
    #expect(try await credential("a.example") == .basic(user: "n", password: "changed"))
    try directory.write("config.json", "nonsense")
    await #expect(throws: DockerConfigCredentials.Failure.self) { try await credential("a.example") }
  }

  @Test("Docker's helpers are asked for the hosts they are named for")
  func helpers() async throws {
    let directory = try TemporaryDirectory()
    try directory.write(
      "docker-credential-nagayatest",
      """
      #!/bin/sh
      read -r server
      case "$1 $server" in
        "get a.example") echo '{"ServerURL": "a.example", "Username": "h", "Secret": "s"}' ;;
        "get https://index.docker.io/v1/") echo '{"Username": "<token>", "Secret": "t"}' ;;
        "get broken.example") echo 'the vault is sealed' >&2; exit 3 ;;
        *) echo 'credentials not found in native keychain'; exit 1 ;;
      esac

      """, mode: 0o755)
    // Helpers are looked up in PATH; the name may hold no slash, so the test's directory is put there.
    let path = CommandPath(adding: directory.path)
    defer { path.restore() }
    try directory.write(
      "config.json",
      #"""
      {"credsStore": "nagayatest", "credHelpers": {"evil.example": "../../bin/sh"},
       "auths": {"b.example": {"username": "b", "password": "file"}}}
      """#)
    let source = DockerConfigCredentials(path: "\(directory.path)/config.json")
    #expect(
      try await source.credential(for: place("a.example"), rejected: nil) == .basic(user: "h", password: "s"))
    #expect(try await source.credential(for: place("docker.io"), rejected: nil) == .identityToken("t"))
    // Where the helper knows nothing the file's own entries count.
    #expect(
      try await source.credential(for: place("b.example"), rejected: nil) == .basic(user: "b", password: "file"))
    let broken = await #expect(throws: CredentialProgram.Failure.self) {
      try await source.credential(for: place("broken.example"), rejected: nil)
    }
    #expect(broken?.description.contains("the vault is sealed") == true)
    await #expect(throws: DockerConfigCredentials.Failure.self) {
      try await source.credential(for: place("evil.example"), rejected: nil)
    }
  }

  @Test("Kubelet's plugins are run for matching images, and their answers kept as long and as widely as they say")
  func kubelet() async throws {
    let directory = try TemporaryDirectory()
    // Counts its runs and answers with what it was asked.
    try directory.write(
      "bin/plugin",
      """
      #!/bin/sh
      image=$(sed 's/.*"image":"\\([^"]*\\)".*/\\1/')
      echo "$image" >> "$LOG"
      cat <<END
      {"kind":"CredentialProviderResponse","apiVersion":"credentialprovider.kubelet.k8s.io/v1",
       "cacheKeyType":"$1","cacheDuration":"$2",
       "auth":{"*.reg.example":{"username":"wide","password":"$image"},
               "a.reg.example/team":{"username":"narrow","password":"$image"}}}
      END

      """, mode: 0o755)
    func source(_ kind: String, _ duration: String) throws -> KubeletCredentialProviders {
      try directory.write(
        "config-\(kind)-\(duration).yaml",
        """
        apiVersion: kubelet.config.k8s.io/v1
        kind: CredentialProviderConfig
        providers:
        - name: plugin
          apiVersion: credentialprovider.kubelet.k8s.io/v1
          matchImages: ["*.reg.example", "other.example:5000/team"]
          defaultCacheDuration: 10m
          args: [\(kind), "\(duration)"]
          env: [{name: LOG, value: "\(directory.path)/log-\(kind)-\(duration)"}]
        - name: for-pods
          apiVersion: credentialprovider.kubelet.k8s.io/v1
          matchImages: ["*.reg.example"]
          defaultCacheDuration: 0s
          tokenAttributes: {requireServiceAccount: true}

        """)
      return KubeletCredentialProviders(
        configuration: "\(directory.path)/config-\(kind)-\(duration).yaml", programs: "\(directory.path)/bin")
    }
    func runs(_ kind: String, _ duration: String) -> [Substring] {
      String(
        decoding: BoundedFile.read("\(directory.path)/log-\(kind)-\(duration)", limit: 1 << 16) ?? [], as: UTF8.self
      )
      .split(separator: "\n")
    }
    func ask(_ source: KubeletCredentialProviders) async throws {
      for (host, repository) in [
        ("a.reg.example", "team/x"), ("a.reg.example", "team/x"), ("a.reg.example", "else/y"), ("b.reg.example", "z"),
      ] { _ = try await source.credential(for: place(host, repository), rejected: nil) }
    }
    for (kind, duration, count) in [
      ("Image", "1h", 3), ("Registry", "1h", 2), ("Global", "1h", 1), ("Global", "0s", 4),
    ] {
      try await ask(source(kind, duration))
      #expect(runs(kind, duration).count == count, "\(kind) \(duration)")
    }
    #expect(runs("Image", "1h") == ["a.reg.example/team/x", "a.reg.example/else/y", "b.reg.example/z"])

    let kept = try source("Global", "2h")
    let first = try await kept.credential(for: place("a.reg.example", "team/x"), rejected: nil)
    #expect(first == .basic(user: "narrow", password: "a.reg.example/team/x"))
    #expect(
      try await kept.credential(for: place("b.reg.example", "z"), rejected: nil)
        == .basic(user: "wide", password: "a.reg.example/team/x"))
    // A credential that was refused is not given again from what was kept.
    let again = try await kept.credential(
      for: place("b.reg.example", "z"), rejected: .basic(user: "wide", password: "a.reg.example/team/x"))
    #expect(again == .basic(user: "wide", password: "b.reg.example/z"))
    #expect(try await kept.credential(for: place("reg.example"), rejected: nil) == nil)
    let wrong = try source("Sometimes", "1h")
    await #expect(throws: KubeletCredentialProviders.Failure.self) {
      try await wrong.credential(for: place("a.reg.example"), rejected: nil)
    }
  }

  @Test(
    "Patterns of images match as kubelet's do",
    arguments: [
      ("*.dkr.ecr.*.amazonaws.com", "123.dkr.ecr.eu-west-1.amazonaws.com/x", true),
      ("*.dkr.ecr.*.amazonaws.com", "123.dkr.ecr.amazonaws.com/x", false), ("*.io", "reg.io/x", true),
      ("*.io", "a.reg.io/x", false), ("a*b.io", "axxb.io/x", true), ("a?b.io", "axxb.io/x", false),
      ("reg.io:8080/path", "reg.io:8080/path/x", true), ("reg.io:8080", "reg.io/x", false),
      ("reg.io", "reg.io:8080/x", false),
      ("https://reg.io/", "reg.io/x", true), ("reg.io/path", "reg.io/other", false),
    ])
  func patterns(_ pattern: String, _ image: String, _ matches: Bool) throws {
    #expect(try #require(ImagePattern(pattern)).matches(image) == matches)
  }

  @Test(
    "Go's durations are read",
    arguments: [("1h30m", 5400.0), ("300ms", 0.3), ("0", 0), ("1.5s", 1.5), ("", nil), ("5", nil), ("x", nil)]
      as [(String, Double?)])
  func durations(_ text: String, _ seconds: Double?) {
    #expect(KubeletCredentialProviders.duration(text) == seconds.map { .seconds($0) })
  }

  @Test("No description shows a secret")
  func descriptions() {
    for credential in [
      RegistryCredential.basic(user: "u", password: "hidden"), .identityToken("hidden"), .bearer("hidden"),
    ] {
      #expect(!"\(credential)".contains("hidden"))
    }
  }
}
