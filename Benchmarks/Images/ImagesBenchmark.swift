import ArgumentParser
import CertificateAuthority
import Foundation
import NIOSSL
import PlatformHarness

/// Lazy images beside what people use: from nothing to a program's first line, and reading afterwards.
struct ImagesBenchmark: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "images",
    abstract: "Cold starts of several images by snapshotter, and how fast they are read afterwards (as root).")

  @Option(help: "Cold starts of each mode; the tables have medians.")
  var runs = 5

  @Option(help: "Images to start, with commas. Default: all.")
  var images = BenchImage.servers.map(\.rawValue).joined(separator: ",")

  @Option(help: "Modes, with commas. Default: all.")
  var modes = ImageMode.allCases.map(\.rawValue).joined(separator: ",")

  @Option(help: "Milliseconds that the registry is away.")
  var roundTrip = 20

  @Option(help: "Megabytes a second that the line to the registry carries.")
  var bandwidth = 50.0

  @Option(help: "Where images and their registry are kept.", completion: .directory)
  var directory = "\(PlatformInstance.root)/.build/bench-images"

  @Option(help: "The nagaya that is measured.")
  var nagaya = "\(PlatformInstance.root)/.build/release/nagaya"

  @Option(help: "How our daemon is asked for missing bytes: auto, fanotify, fuse.")
  var fill = "auto"

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

  @Flag(help: "Walk and read only.")
  var readingOnly = false

  func run() async throws {
    let modes = try self.modes.split(separator: ",").map { name in
      guard let mode = ImageMode(rawValue: String(name)) else { throw ValidationError("there is no mode \(name)") }
      return mode
    }
    let images = try self.images.split(separator: ",").map { name in
      guard let image = BenchImage(rawValue: String(name)), BenchImage.servers.contains(image) else {
        throw ValidationError("there is no image \(name) to start")
      }
      return image
    }
    let starting = readingOnly ? [] : images
    let bench = try await BenchRegistry(directory, starting + (startsOnly ? [] : Reading.images))
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
    func starts(_ image: BenchImage) -> ColdStarts {
      ColdStarts(
        image: image, plain: plain, encrypted: encrypted, work: work, nagaya: nagaya, authority: "\(work)/pki/ca.crt",
        showsRequests: requests, traces: traces, options: ["--fill", fill])
    }
    let outcome = await Self.outcome {
      var figures: [Figure] = []
      if !starting.isEmpty {
        report("\(runs) cold starts of each mode, \(roundTrip) ms and \(bandwidth) MB/s away")
        figures += try await StartsReport(roundTrip: roundTrip, bandwidth: bandwidth, plot: plot).measure(
          starting.map(starts), modes, runs: runs)
      }
      if !startsOnly { figures += try await Reading(starts: starts).measure(runs: runs) }
      return figures
    }
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
}
