import Foundation
import Testing

@testable import RegistryClient

@Suite("Credentials that were brought") struct RememberedCredentialsTests {
  private let app = RegistryPlace(host: "registry.example.com", repository: "team/app")
  private func user(_ name: String) -> RegistryCredential { .basic(user: name, password: "of \(name)") }

  @Test("are asked for by repository, then by host, the newest first") func lookup() async {
    let known = RememberedCredentials()
    await known.remember(user("host"), for: RegistryPlace(host: app.host, repository: ""))
    #expect(await known.credential(for: app, rejected: nil) == user("host"))
    for name in ["one", "two"] { await known.remember(user(name), for: app) }
    #expect(await known.credential(for: app, rejected: nil) == user("two"))
    #expect(await known.credential(for: app, rejected: user("two")) == user("one"))
    await known.forget(user("two"), for: app)
    #expect(await known.credential(for: app, rejected: nil) == user("one"))
    await known.forget(user("one"), for: app)
    #expect(await known.credential(for: app, rejected: nil) == user("host"))
    #expect(await known.credential(for: RegistryPlace(host: "other", repository: "team/app"), rejected: nil) == nil)
  }

  @Test("of pulls under way come last, and go if they were no good") func trials() async {
    let known = RememberedCredentials()
    await known.begin(user("first"), for: app)
    #expect(await known.credential(for: app, rejected: nil) == user("first"))
    await known.settle(user("first"), for: app, isGood: true)
    for index in 0..<100 { await known.begin(user("wrong\(index)"), for: app) }
    #expect(await known.credential(for: app, rejected: nil) == user("first"))
    for index in 0..<100 { await known.settle(user("wrong\(index)"), for: app, isGood: false) }
    await known.begin(user("first"), for: app)
    await known.settle(user("first"), for: app, isGood: false)
    #expect(await known.credential(for: app, rejected: nil) == user("first"), "the registry was away")
    #expect(await known.credential(for: app, rejected: user("first")) == nil)
  }

  @Test("of one host do not drive out another's") func hosts() async {
    let known = RememberedCredentials(capacity: 4)
    await known.remember(user("victim"), for: app)
    for index in 0..<100 {
      await known.remember(user("a"), for: RegistryPlace(host: "evil.example", repository: "r\(index)"))
    }
    #expect(await known.credential(for: app, rejected: nil) == user("victim"))
  }

  @Test("are bounded in number") func bounds() async {
    let known = RememberedCredentials(capacity: 3)
    for index in 0..<10 {
      await known.remember(user("a\(index)"), for: RegistryPlace(host: "h", repository: "r\(index)"))
      await known.remember(user("b\(index)"), for: app)
    }
    #expect(await known.credential(for: RegistryPlace(host: "h", repository: "r0"), rejected: nil) == nil)
    #expect(await known.credential(for: RegistryPlace(host: "h", repository: "r9"), rejected: nil) == user("a9"))
  }

  @Test("outlive the process in a file of its owner's") func file() async throws {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/credentials.json"
    let all: [RegistryCredential] = [user("x"), .identityToken("id"), .bearer("t")]
    let known = RememberedCredentials(file: path)
    for credential in all { await known.remember(credential, for: app) }
    let again = RememberedCredentials(file: path)
    #expect(await again.credential(for: app, rejected: nil) == .bearer("t"))
    #expect(await again.credential(for: app, rejected: .bearer("t")) == .identityToken("id"))
    await again.forget(.bearer("t"), for: app)
    await again.forget(.identityToken("id"), for: app)
    #expect(await RememberedCredentials(file: path).credential(for: app, rejected: nil) == user("x"))
  }

  @Test(
    "in a damaged file are as good as none", arguments: ["", "{", "[1, {}]", #"[{"host": "h", "credentials": []}]"#])
  func damage(text: String) async throws {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/credentials.json"
    try text.write(toFile: path, atomically: false, encoding: .utf8)
    let known = RememberedCredentials(file: path)
    #expect(await known.credential(for: app, rejected: nil) == nil)
    await known.remember(user("x"), for: app)
    #expect(await RememberedCredentials(file: path).credential(for: app, rejected: nil) == user("x"))
  }
}
