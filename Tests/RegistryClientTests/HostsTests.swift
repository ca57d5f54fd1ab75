import OCI
import Testing

@testable import RegistryClient

@Suite("Hosts of registries")
struct HostsTests {
  @Test("TOML is read: tables, dotted and quoted keys, strings, numbers, arrays over lines, comments")
  func toml() throws {
    let table = try TOMLParser.parse(
      Array(
        #"""
        # comment
        server = "https://a.example" # more
        n = 1_000
        a.b."c d" = 'lit\eral'
        list = [ "x", # one
          'y', ]
        inline = { k = true, deep.er = [[1, -2], []] }

        [host."https://m.example/v2"]
          capabilities = ["pull"]
          text = "tab\t\u00e9\U0001F600\"\\"
        [host.'b']
        [host."https://m.example/v2".header]
          x = ["1", "2"]
        """#.utf8))
    #expect(table["server"]?.string == "https://a.example")
    #expect(table["n"] == .integer(1000))
    #expect(table["a"]?.table?["b"]?.table?["c d"]?.string == "lit\\eral")
    #expect(table["list"]?.strings == ["x", "y"])
    #expect(table["inline"]?.table?["k"]?.bool == true)
    #expect(
      table["inline"]?.table?["deep"]?.table?["er"] == .array([.array([.integer(1), .integer(-2)]), .array([])]))
    let hosts = try #require(table["host"]?.table)
    #expect(hosts.keys == ["https://m.example/v2", "b"])
    #expect(hosts["https://m.example/v2"]?.table?["text"]?.string == "tab\té😀\"\\")
    #expect(hosts["https://m.example/v2"]?.table?["header"]?.table?["x"]?.strings == ["1", "2"])
  }

  @Test(
    "What is no TOML, or not supported, is refused with its line",
    arguments: [
      ("a = 1\na = 2", 2), ("a = 1\n[a]", 2), ("[a]\n[a]", 2), ("a = {b = 1}\na.b = 2", 2), ("a =", 1), ("= 1", 1),
      ("a = \"x", 1), ("a = [1", 1), ("a = 1 2", 1), ("a = 1.5", 1), ("a = \"\"\"x\"\"\"", 1), ("[[a]]", 1),
      ("a = 2026-01-01", 1), ("a = \"\\q\"", 1), ("a = \"\\ud800\"", 1), ("\n\na = _1", 3),
      ("a = [[[[[[[[[[[[[[[[[1", 1),
      ("a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q = 1", 1),
    ])
  func badTOML(_ text: String, _ line: Int) throws {
    let error = #expect(throws: TOMLParser.Failure.self) { try TOMLParser.parse(Array(text.utf8)) }
    #expect(error?.line == line)
    #expect(throws: TOMLParser.Failure.self) { try TOMLParser.parse([0x61, 0x3D, 0x22, 0xFF, 0x22]) }
  }

  private func hosts(_ registry: String, _ directory: TemporaryDirectory?) throws -> [RegistryHost] {
    try HostsDirectory(directory?.path).hosts(for: registry)
  }

  @Test(
    "Without a directory: https, http for the machine itself, and Docker's own host",
    arguments: [
      ("docker.io", "https://registry-1.docker.io/v2"), ("ghcr.io", "https://ghcr.io/v2"),
      ("reg.example:5000", "https://reg.example:5000/v2"), ("localhost:5000", "http://localhost:5000/v2"),
      ("127.0.0.1:5000", "http://127.0.0.1:5000/v2"), ("[::1]:5000", "http://[::1]:5000/v2"),
      ("127.0.0.1.example.com", "https://127.0.0.1.example.com/v2"), ("10.0.0.1:80", "https://10.0.0.1:80/v2"),
    ])
  func defaults(_ registry: String, _ url: String) throws {
    let hosts = try hosts(registry, nil)
    #expect(hosts.map(\.api.url) == [url])
    #expect(hosts[0].mirrorOf == nil)
    #expect(hosts[0].name == registry)
  }

  @Test("Mirrors come in the file's order, the registry last, each with its own settings")
  func mirrors() throws {
    let directory = try TemporaryDirectory()
    try directory.write(
      "docker.io/hosts.toml",
      """
      server = "https://registry-1.docker.io"
      [host."https://z.example"]
        capabilities = ["pull", "resolve"]
        [host."https://z.example".header]
          X-Token = "t"
      [host."http://a.example:8080/prefix"]
        capabilities = ["pull"]
      [host."https://b.example/some/path"]
        override_path = true
      [host."c.example/v2/"]
      """)
    let hosts = try hosts("docker.io", directory)
    #expect(
      hosts.map(\.api.url) == [
        "https://z.example/v2", "http://a.example:8080/prefix/v2", "https://b.example/some/path",
        "https://c.example/v2",
        "https://registry-1.docker.io/v2",
      ])
    #expect(hosts.map(\.mirrorOf) == ["docker.io", "docker.io", "docker.io", "docker.io", nil])
    #expect(hosts.map(\.name) == ["z.example", "a.example:8080", "b.example", "c.example", "docker.io"])
    #expect(hosts[0].capabilities == [.pull, .resolve])
    #expect(hosts[0].headers == [.init(name: "X-Token", value: "t")])
    #expect(hosts[2].capabilities.count == 4)
  }

  @Test("The directory of host and port is taken before the one for all others")
  func directories() throws {
    let directory = try TemporaryDirectory()
    try directory.write("_default/hosts.toml", "[host.\"https://all.example\"]")
    try directory.write("reg.example:5000/hosts.toml", "[host.\"https://colon.example\"]")
    func first(_ registry: String) throws -> String? { try hosts(registry, directory).first?.api.host }
    #expect(try first("reg.example:5000") == "colon.example")
    try directory.write("reg.example_5000_/hosts.toml", "[host.\"https://underscore.example\"]")
    #expect(try first("reg.example:5000") == "underscore.example")
    #expect(try first("reg.example") == "all.example")
    #expect(try hosts("reg.example", directory).last?.api.url == "https://reg.example/v2")
  }

  @Test(
    "A file that can't be meant is refused with its path",
    arguments: [
      "server = \"ftp://x\"", "capabilities = [\"fly\"]", "ca = 1", "ca = \"none.pem\"", "client = [[1]]", "host = 1",
      "[header]\nx = \"a\\r\\nevil: 1\"", "[header]\n\"a b\" = \"c\"", "nonsense",
    ])
  func badFiles(_ text: String) throws {
    let directory = try TemporaryDirectory()
    try directory.write("reg.example/hosts.toml", text)
    let error = #expect(throws: RegistryError.self) { try hosts("reg.example", directory) }
    #expect(error?.kind == .misconfigured)
    #expect(error?.reason.contains("\(directory.path)/reg.example") == true)
  }

  @Test(
    "A mirror serves with ?ns=, and the registry itself where the mirror fails or has it not",
    arguments: [200, 404, 500, 0])
  func fallback(_ mirrorStatus: Int) async throws {
    let image = TestImage()
    let mirror = try await LyingRegistry { mirrorStatus == 200 ? image.answer($0) : .status(mirrorStatus) }
    let registry = try await LyingRegistry { image.answer($0) }
    if mirrorStatus == 0 { await mirror.stop() }
    let directory = try TemporaryDirectory()
    try directory.write(
      "127.0.0.1_\(registry.port)_/hosts.toml",
      "server = \"http://\(registry.host)\"\n[host.\"http://\(mirror.host)\"]\ncapabilities = [\"pull\"]")
    let client = RegistryClient.quick(.quick(hostsDirectory: directory.path))
    let name = try ImageReference("\(registry.host)/team/app:latest")
    // A mirror that may not resolve is not asked what a tag means.
    #expect(try await client.manifest(name).bytes == image.manifest)
    #expect(mirror.requests.isEmpty)
    let blob = client.blob(name, digest: image.layerDigest, size: Int64(image.layer.count))
    for _ in 0..<3 { #expect(try await blob.fetch(7..<9, urgency: .demand) == Array(image.layer[7..<9])) }
    let ns = "?ns=127.0.0.1%3A\(registry.port)"
    #expect(mirror.requests.allSatisfy { $0.target == "/v2/team/app/blobs/\(image.layerDigest)\(ns)" })
    // A mirror in trouble is left alone for a while; one that has not got it is asked each time.
    #expect(mirror.requests.count == [200: 3, 404: 3, 500: 1, 0: 0][mirrorStatus])
    #expect(registry.requests.count == (mirrorStatus == 200 ? 1 : 4))
    if mirrorStatus != 0 { await mirror.stop() }
    await registry.stop()
  }

  @Test("Damaged content of a mirror is replaced by the registry's")
  func damagedMirror() async throws {
    let image = TestImage()
    let mirror = try await LyingRegistry { _ in .body([1, 2, 3]) }
    let registry = try await LyingRegistry { image.answer($0) }
    let directory = try TemporaryDirectory()
    try directory.write(
      "127.0.0.1_\(registry.port)_/hosts.toml",
      "server = \"http://\(registry.host)\"\n[host.\"http://\(mirror.host)\"]\n")
    let client = RegistryClient.quick(.quick(hostsDirectory: directory.path))
    let name = try ImageReference("\(registry.host)/team/app:latest")
    #expect(try await client.manifest(name, digest: image.manifestDigest).bytes == image.manifest)
    #expect(mirror.requests.count == 1)
    await mirror.stop()
    await registry.stop()
  }
}
