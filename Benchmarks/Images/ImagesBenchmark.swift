import ArgumentParser
import CertificateAuthority
import Foundation
import NIOSSL
import PlatformHarness

/// Lazy images beside what people use: from nothing to a program's first line, and reading afterwards.
struct ImagesBenchmark: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "images",
    abstract: "Cold start of a 237 MiB image by snapshotter, and how fast it is read afterwards (as root).")

  @Option(help: "Cold starts of each mode; the table has medians.")
  var runs = 5

  @Option(help: "Modes, with commas. Default: all.")
  var modes = ImageMode.allCases.map(\.rawValue).joined(separator: ",")

  @Option(help: "Milliseconds that the registry is away.")
  var roundTrip = 20

  @Option(help: "Megabytes a second that the line to the registry carries.")
  var bandwidth = 50.0

  @Option(help: "Where the image and its registry are kept.")
  var images = "\(PlatformInstance.root)/.build/bench-images"

  @Option(help: "The nagaya that is measured.")
  var nagaya = "\(PlatformInstance.root)/.build/release/nagaya"

  @Option(help: "For containerd and snapshotters; on ext4, xfs or btrfs.")
  var scratch = "/tmp"

  @Flag(help: "Print every request to the registry until the first line.")
  var requests = false

  @Option(help: "Keep our daemon's log of every fetch and every wait in this directory.", completion: .directory)
  var traces: String?

  @Option(help: "Write the plot of the starts to this file (SVG).", completion: .file(extensions: ["svg"]))
  var plot: String?

  @Flag(help: "Leave out walking and reading.")
  var startsOnly = false

  func run() async throws {
    let modes = try self.modes.split(separator: ",").map { name in
      guard let mode = ImageMode(rawValue: String(name)) else { throw ValidationError("there is no mode \(name)") }
      return mode
    }
    let bench = try await BenchRegistry(images)
    defer { bench.stop() }
    let work = "\(scratch)/nagaya-bench-images-\(UInt32.random(in: 0..<1 << 24))"
    try FileManager.default.createDirectory(atPath: work, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: work) }
    let authority = try CertificateAuthority.loadOrCreate(directory: "\(work)/pki")
    let leaf = try authority.issueServer(commonName: "relay", dnsNames: ["localhost"], ipAddresses: [Self.address])
    let tls = try NIOSSLContext(
      configuration: .makeServerConfiguration(
        certificateChain: try leaf.certificateChain(), privateKey: try leaf.privateKey()))
    func relay(_ address: String, _ tls: NIOSSLContext?) async throws -> NetworkRelay {
      try await NetworkRelay(
        to: bench.registry.port, roundTrip: .milliseconds(roundTrip), bytesPerSecond: bandwidth * 1e6,
        address: address, tls: tls)
    }
    try await Shell().succeed("ip address replace \(Self.address)/32 dev lo")
    let (plain, encrypted) = (try await relay("127.0.0.1", nil), try await relay(Self.address, tls))
    let starts = ColdStarts(
      plain: plain, encrypted: encrypted, work: work, nagaya: nagaya, authority: "\(work)/pki/ca.crt",
      showsRequests: requests, traces: traces)
    report("\(runs) cold starts of each mode, \(roundTrip) ms and \(bandwidth) MB/s away")
    let outcome = await Self.outcome { try await measure(starts, modes) }
    await plain.stop()
    await encrypted.stop()
    try await Shell()("ip address delete \(Self.address)/32 dev lo")
    Figure.show(try outcome.get())
  }

  private static func outcome(_ body: () async throws -> [Figure]) async -> Result<[Figure], any Error> {
    do { return .success(try await body()) } catch { return .failure(error) }
  }

  /// SOCI speaks http to addresses of the loopback network in one half of its requests and https in the other; so it
  /// gets one from the network for benchmarks (RFC 2544).
  private static let address = "198.18.0.1"

  private func measure(_ starts: ColdStarts, _ modes: [ImageMode]) async throws -> [Figure] {
    let results = try await starts.measure(modes, runs: runs)
    let figures = Self.show(results, modes)
    if let plot {
      let seconds = modes.map { (mode: $0, runs: (results[$0] ?? []).map(\.seconds)) }
      let svg = StartsPlot(roundTrip: roundTrip, bandwidth: bandwidth).svg(seconds)
      try svg.write(toFile: plot, atomically: true, encoding: .utf8)
    }
    return startsOnly ? figures : try await figures + Reading(starts: starts).measure(runs: runs)
  }

  private static func show(_ results: [ImageMode: [ColdStart.Run]], _ modes: [ImageMode]) -> [Figure] {
    var table = TextTable(
      "from nothing to the first line", "pull s", "start s", "MB", "requests", "of overlayfs", "of SOCI")
    var figures: [Figure] = []
    func median(_ mode: ImageMode, _ value: (ColdStart.Run) -> Double) -> Double {
      (results[mode] ?? []).map(value).percentile(0.5)
    }
    func ratio(_ mode: ImageMode, _ peer: ImageMode) -> String {
      let value = median(mode, \.seconds) / median(peer, \.seconds)
      return value.isNaN ? "" : "\(Figure.rounded(value))"
    }
    for mode in modes {
      let seconds = median(mode, \.seconds)
      let megabytes = median(mode) { Double($0.bytes) / 1e6 }
      let requests = median(mode) { Double($0.requests) }
      table.add(
        mode.words, "\(Figure.rounded(median(mode, \.pullSeconds)))", "\(Figure.rounded(seconds))",
        "\((megabytes * 10).rounded() / 10)", "\(Int(requests))", ratio(mode, .overlayfs), ratio(mode, .soci))
      figures += [
        Figure(name: "coldstart.\(mode.rawValue).seconds", value: seconds, unit: "s"),
        Figure(name: "coldstart.\(mode.rawValue).bytes", value: megabytes, unit: "MB", digits: 1),
        Figure(name: "coldstart.\(mode.rawValue).requests", value: requests, unit: "count", digits: 0),
      ]
    }
    print("")
    table.show()
    return figures
  }
}
