import ArgumentParser
import CertificateAuthority
import Foundation
import LinuxSystem
import Locking
import Testing

@testable import nagaya

/// What `up`, `down` and `status` keep about an instance; a whole one runs in the integration tests.
@Suite struct InstanceTests {
  // MARK: How it was started

  static let everyOption = [
    "--state-dir", "state", "--run-dir", "/run/x", "--engines", "engines", "--images", "images", "--api-port", "7443",
    "--edge-address", "0.0.0.0", "--edge-port", "9443", "--domain", "apps.test", "--node-name", "n1", "--pod-cidr",
    "10.9.0.0/16", "--network", "net9", "--pool-size", "3Gi", "--lvm-pool", "fast=vg0,thin=t,overprovision=2",
    "--placement", "most-free", "--log-level", "debug",
    "--pod-processes", "500", "--tenant-quota", "pods=9", "--tenant-quota", "services=8", "--container-limit", "none",
    "--no-audit", "--api-address", "192.0.2.1", "--api-name", "api.example.com", "--api-name", "2001:db8::1",
    "--certificate-lifetime", "24h", "--root-lifetime", "720h",
  ]

  @Test func `an instance is started again with what it was started with, from any directory`() async throws {
    try await withTemporaryDirectory { directory in
      let up = try Up.parse(Self.everyOption + ["--timeout", "7", "--detach", "--sample"])
      let layout = Layout(state: directory, run: directory)
      try SavedArguments(layout).write(up.options)
      let again = try #require(try SavedArguments(layout).read())
      let here = FileManager.default.currentDirectoryPath
      #expect(again.directories.stateDir == "\(here)/state")
      #expect(again.engines == "\(here)/engines" && again.images == "\(here)/images")
      #expect(
        again.apiPort == 7443 && again.edgePort == 9443 && again.poolSize == "3Gi" && again.podCIDR == "10.9.0.0/16")
      #expect(again.arguments == up.options.arguments)
      // What is saved must be what `up` takes.
      #expect(try Up.parse(again.arguments).options.arguments == again.arguments)
    }
  }

  @Test func `every option of an instance is saved`() throws {
    let saved = try Up.parse(Self.everyOption).options.arguments.filter { $0.hasPrefix("--") }
    let help = PlatformOptions.helpMessage(columns: 200)
    let known = help.split(separator: "\n").compactMap { line in
      line.split { $0 == " " || $0 == "," }.first.map(String.init).flatMap { $0.hasPrefix("--") ? $0 : nil }
    }
    #expect(known.count == 24)
    #expect(Set(saved) == Set(known))
  }

  @Test(arguments: [
    (["--certificate-lifetime", "14s"], "15s or more"),
    (["--certificate-lifetime", "1h", "--root-lifetime", "90m"], "at least twice"),
  ])
  func `what could not be renewed in time is refused`(options: [String], words: String) {
    let error = #expect(throws: (any Error).self) { try Up.parse(options) }
    #expect(error.map { Up.message(for: $0).contains(words) } ?? false)
  }

  @Test(arguments: [
    (["--api-address", "example.com"], "is no address"), (["--api-address", "0.0.0.0"], "is every address"),
    (["--api-address", "::"], "is every address"), (["--api-address", "::0"], "is every address"),
    (["--api-address", "127.0.0.1"], "always listens there"),
    (["--api-name", "*.example.com"], "neither a host name nor an address"),
    (["--api-name", "a b"], "neither a host name nor an address"), (["--api-name", ""], "neither"),
  ])
  func `what nobody could call the API by is refused`(options: [String], words: String) {
    let error = #expect(throws: (any Error).self) { try Up.parse(options) }
    #expect(error.map { Up.message(for: $0).contains(words) } ?? false)
  }

  @Test func `users elsewhere get the first name of the API, or its address`() throws {
    func server(_ arguments: [String]) throws -> String? {
      APIPlace(try PlatformOptions.parse(["--api-port", "7443"] + arguments)).publicServer
    }
    #expect(try server([]) == nil)
    #expect(try server(["--api-address", "192.0.2.1"]) == "https://192.0.2.1:7443")
    #expect(try server(["--api-address", "2001:db8::1"]) == "https://[2001:db8::1]:7443")
    let named = ["--api-address", "192.0.2.1", "--api-name", "API.example.com", "--api-name", "192.0.2.7"]
    #expect(try server(named) == "https://API.example.com:7443")
    let place = APIPlace(try PlatformOptions.parse(named))
    #expect(place.hostNames == ["api.example.com"] && place.addresses == ["192.0.2.1", "192.0.2.7"])
  }

  @Test func `a name that the authority does not vouch for is refused before anything is served by it`() async throws {
    try await withTemporaryDirectory { directory in
      func authorities(_ names: [String]) throws -> PlatformAuthorities {
        try .loadOrCreate(directory: "\(directory)/pki", serverNames: names, domain: "localhost")
      }
      let place = APIPlace(try PlatformOptions.parse(["--api-name", "api.example.com", "--api-name", "192.0.2.7"]))
      try place.check(vouchedForBy: try authorities(["n1", "api.example.com"]).api)
      let later = APIPlace(try PlatformOptions.parse(["--api-name", "other.example.com"]))
      let refusal = #expect(throws: CommandFailure.self) {
        try later.check(vouchedForBy: try authorities(["n1", "other.example.com"]).api)
      }
      #expect(refusal.map { "\($0)".contains("--api-name other.example.com") } ?? false)
    }
  }

  @Test func `volumes are placed by expected loss unless something else is asked for`() throws {
    #expect(try PlatformOptions.parse([]).placement == .expectedLoss)
    #expect(try PlatformOptions.parse(["--placement", "kep-4049"]).placement == .kep4049)
    #expect(PlatformOptions.helpMessage().contains("expected-loss"))
  }

  @Test func `nothing saved is no fault, and what cannot be read says where it lies`() async throws {
    try await withTemporaryDirectory { directory in
      let layout = Layout(state: directory, run: directory)
      #expect(try SavedArguments(layout).read() == nil)
      try Data(#"["--timeout","3"]"#.utf8).write(to: URL(fileURLWithPath: layout.arguments))
      #expect(performing: { try SavedArguments(layout).read() }, throws: { "\($0)".contains(layout.arguments) })
    }
  }

  @Test(arguments: [
    ["--api-port", "7000", "--edge-port", "7000"], ["--pod-cidr", "10.0.0.0"], ["--pod-cidr", "10.0.0/8"],
    ["--network", "a-name-that-is-too-long"], ["--network", "a;b"], ["--bridge", "a/b"], ["--api-port", "70000"],
    ["--placement", "openebs-volume"], ["--run-dir", "/run/" + String(repeating: "x", count: 80)],
  ]) func `what no instance can have is refused`(_ arguments: [String]) async {
    let result = await CommandRunner().run(["up"] + arguments)
    #expect(result.code == 2, "\(result.error)")
  }

  // MARK: What is shared with other instances

  @Test(arguments: [
    ("10.244.0.0/16", "10.244.7.0/24", true), ("10.244.0.0/16", "10.245.0.0/16", false),
    ("10.0.0.0/8", "10.255.0.0/16", true), ("192.168.1.0/25", "192.168.1.128/25", false),
    ("10.1.2.3/16", "10.1.0.0/16", true), ("0.0.0.0/1", "127.0.0.0/8", true),
  ]) func `blocks of addresses overlap or not`(_ one: String, _ other: String, _ overlap: Bool) throws {
    let (one, other) = (try #require(IPv4Block(one)), try #require(IPv4Block(other)))
    #expect(one.overlaps(other) == overlap && other.overlaps(one) == overlap)
  }

  @Test(arguments: [
    "", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/0", "10.0.0/8", "10.0.0.0.0/8", "10.0.0.256/8", "a/8", "10..0.0/8",
  ])
  func `what is no block of addresses is refused`(_ text: String) { #expect(IPv4Block(text) == nil) }

  private func reservation(_ name: String, network: String, _ block: String) throws -> NetworkReservations.Reservation {
    .init(
      network: network, addresses: try #require(IPv4Block(block)), state: "/nowhere/\(name)/state",
      run: "/nowhere/\(name)/run")
  }

  @Test func `two instances share neither network nor addresses`() async throws {
    try await withTemporaryDirectory { directory in
      let live = Mutex(true)
      let reservations = NetworkReservations(directory: directory) { _ in live.withLock { $0 } }
      try await reservations.reserve(reservation("a", network: "br0", "10.1.0.0/16"))
      let sameNetwork = try reservation("b", network: "br0", "10.2.0.0/16")
      await #expect(
        performing: { try await reservations.reserve(sameNetwork) },
        throws: {
          "\($0)".contains("/nowhere/a/state") && "\($0)".contains("--network")
        })
      let overlapping = try reservation("b", network: "br1", "10.1.9.0/24")
      await #expect(
        performing: { try await reservations.reserve(overlapping) }, throws: { "\($0)".contains("10.1.0.0/16") })
      try await reservations.reserve(reservation("b", network: "br1", "10.2.0.0/16"))
      // The same one may come back, even with other addresses; its old ones are free then.
      try await reservations.reserve(reservation("a", network: "br2", "10.3.0.0/16"))
      try await reservations.reserve(reservation("c", network: "br0", "10.1.0.0/16"))
      try await reservations.release(state: "/nowhere/b/state")
      try await reservations.reserve(reservation("d", network: "br1", "10.2.0.0/16"))
      // An instance that is gone without a word does not hold what it had.
      live.withLock { $0 = false }
      try await reservations.reserve(reservation("e", network: "br1", "10.1.0.0/16"))
    }
  }

  @Test func `a port that is taken is told before anything starts`() throws {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(listener) }
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, length) == 0 && listen(listener, 1) == 0 && getsockname(listener, $0, &length) == 0
      }
    }
    try #require(isBound)
    let port = Int(UInt16(bigEndian: address.sin_port))
    for host in ["127.0.0.1", "0.0.0.0"] {
      #expect(
        performing: { try PortCheck.run(host, port: port, what: "the API", option: "--api-port", addressOption: "") },
        throws: {
          "\($0)".contains("port \(port) of \(host) (the API) is in use") && "\($0)".contains("--api-port")
        })
    }
    #expect(
      performing: {
        try PortCheck.run("192.0.2.7", port: 0, what: "the edge", option: "--edge-port", addressOption: "")
      },
      throws: {
        "\($0)".contains("no address 192.0.2.7")
      })
    try PortCheck.run("127.0.0.1", port: 0, what: "the API", option: "--api-port", addressOption: "")
  }

  // MARK: The log

  @Test func `a log that has grown goes on in a new file, and nothing is lost`() async throws {
    try await withTemporaryDirectory { directory in
      let path = "\(directory)/nagaya.log"
      let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
      let other = open("\(directory)/other", O_WRONLY | O_CREAT | O_APPEND, 0o600)
      defer {
        close(descriptor)
        close(other)
      }
      func say(_ text: String) { _ = write(descriptor, text, text.utf8.count) }
      let log = LogFile(path: path, limit: 10, descriptors: [descriptor, other])
      say("short\n")
      let isEarly = try log.rotateIfLarge()
      #expect(!isEarly)
      say("and long enough\n")
      #expect(try log.rotateIfLarge())
      say("new\n")
      #expect(try String(contentsOfFile: log.oldPath, encoding: .utf8) == "short\nand long enough\n")
      #expect(try String(contentsOfFile: path, encoding: .utf8) == "new\n")
      // What does not write this log is left alone.
      _ = write(other, "x", 1)
      #expect(try String(contentsOfFile: "\(directory)/other", encoding: .utf8) == "x")
      #expect(try !LogFile(path: log.oldPath, limit: 1, descriptors: [descriptor, other]).rotateIfLarge())
    }
  }

  // MARK: What is said at the end of a start

  @Test(arguments: NextSteps.Tour.allCases) func `the next steps fit what is there`(_ tour: NextSteps.Tour) {
    var instance = Instance(pid: 1, phase: .ready)
    instance.edge = "127.0.0.1:9443"
    let text = NextSteps(
      layout: Layout(state: "/s", run: "/r"), instance: instance, domain: "apps.test", withSample: false, tour: tour
    ).text
    #expect(text.contains("nagaya create app hello") == (tour == .fresh))
    #expect(text.contains("nagaya describe app hello") == (tour == .appExists))
    #expect(text.contains("https://hello.dev.demo.apps.test:9443/") == (tour != .tenantDeleted))
    #expect(text.contains("KUBECONFIG=/s/kubeconfig"))
  }
}
