import ArgumentParser
import Foundation
import LinuxSystem
import Logging
import PlatformHarness
import VolumePools
import VolumeTransfer

/// How fast a volume moves, beside plain dd over the same link.
struct MoveBenchmark: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "move", abstract: "Copy a volume from pool to pool over TLS, beside dd | dd over the same link.")

  @Option(help: "MiB of the volume.") var size: Int64 = 2048
  @Option(help: "MiB of them that hold something, in stretches of 16 MiB.") var data: Int64 = 1024
  @Option(help: "Runs; the median counts.") var runs = 3
  @Option(help: "A directory on the disk that is measured.", completion: .directory) var directory = "/tmp"

  func run() async throws {
    let place = "\(directory)/nagaya-bench-move-\(getpid())"
    try Directory.make(place)
    defer { try? FileManager.default.removeItem(atPath: place) }
    var plain: [Double] = []
    var first: [Double] = []
    var last: [Double] = []
    var sent: Int64 = 0
    for run in 0..<runs {
      let ends = try await ends("\(place)/\(run)")
      plain.append(try await dd(from: ends.file, to: "\(place)/plain"))
      let began = ContinuousClock.now
      let round = TransferRound(move: "bench", volume: "volume", isLast: false)
      sent = try await ends.sender.send(round, from: ends.source, to: ends.target).sentBytes
      let copied = ContinuousClock.now
      _ = try await ends.sender.send(
        TransferRound(move: "bench", volume: "volume", isLast: true), from: ends.source, to: ends.target)
      first.append(Self.seconds(copied - began))
      last.append(Self.seconds(.now - copied))
      await ends.receiver.shutDown()
      try FileManager.default.removeItem(atPath: "\(place)/\(run)")
      report(
        "run \(run + 1): dd \(Figure.rounded(plain[run])) s, first round \(Figure.rounded(first[run])) s, last round \(Figure.rounded(last[run])) s"
      )
    }
    func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
    // dd sends the zeros, too; per byte that holds something both sent the same.
    let moved = Double(data) / median(first)
    let dense = Double(size) / median(plain)
    var table = TextTable("", "seconds", "MiB sent", "MiB/s on the line")
    table.add("dd | dd", "\(Figure.rounded(median(plain)))", "\(size)", "\(Figure.rounded(dense))")
    table.add(
      "first round", "\(Figure.rounded(median(first)))", "\(sent >> 20)", "\(Figure.rounded(moved))")
    table.add("last round, nothing changed", "\(Figure.rounded(median(last)))", "0", "0")
    table.show()
    Figure.show([
      Figure(name: "move.throughput_ratio", value: moved / dense, unit: "x"),
      Figure(name: "move.sent_per_allocated", value: Double(sent) / Double(data << 20), unit: "x"),
      Figure(name: "move.last_round", value: median(last), unit: "s"),
    ])
  }

  private struct Ends {
    let source: FilePool
    let sender: TransferSender
    let receiver: TransferReceiver
    let target: TransferTarget
    /// Of the volume on the source.
    let file: String
  }

  private func ends(_ place: String) async throws -> Ends {
    let logger = Logger(label: "move") { _ in SwiftLogNoOpLogHandler() }
    func pool(_ name: String) async throws -> FilePool {
      try FileManager.default.createDirectory(atPath: "\(place)/\(name)", withIntermediateDirectories: true)
      return try await FilePool.open(
        .init(name: "default", directory: "\(place)/\(name)", reservedBytes: 0), logger: logger)
    }
    let (source, target) = (try await pool("source"), try await pool("target"))
    _ = try await source.create(VolumeRequest(name: "volume", bytes: size << 20))
    let file = "\(place)/source/volumes/volume.img"
    let open = try OpenFile(file, .readWrite)
    var bytes = [UInt8](repeating: 0, count: 16 << 20)
    for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: (index &* 2_654_435_761) >> 13) }
    let stretches = max(1, data / 16)
    for index in 0..<stretches {
      bytes[0] = UInt8(truncatingIfNeeded: index)
      try open.write(bytes, at: index * (size / stretches) << 20)
    }
    try open.sync()
    let identity = try TransferIdentity()
    let receiver = TransferReceiver(identity: try TransferIdentity(), host: "127.0.0.1", port: 0, logger: logger)
    try await target.receive("volume", try await source.traits(of: "volume"))
    let port = try await receiver.expect(
      move: "bench", volume: "volume", from: identity.fingerprint, into: target)
    return Ends(
      source: source, sender: TransferSender(identity: identity), receiver: receiver,
      target: TransferTarget(address: "127.0.0.1:\(port)", fingerprint: receiver.identity.fingerprint), file: file)
  }

  /// The bare thing: no checksum, no encryption, to the disk in the end, as a copy is.
  private func dd(from source: String, to target: String) async throws -> Double {
    let port = Int.random(in: 20_000..<29_000)
    let script = """
      python3 - <<'END' | dd of=\(target) bs=1M iflag=fullblock conv=fsync status=none &
      import socket, sys
      server = socket.create_server(("127.0.0.1", \(port)))
      client, _ = server.accept()
      while True:
          piece = client.recv(1 << 20)
          if not piece: break
          sys.stdout.buffer.write(piece)
      END
      for attempt in $(seq 100); do exec 3<>/dev/tcp/127.0.0.1/\(port) && break; sleep 0.05; done 2>/dev/null
      date +%s.%N
      dd if=\(source) bs=1M status=none >&3
      exec 3>&- 3<&-
      wait
      date +%s.%N
      """
    let times = try await Command.run("bash", ["-c", script], timeout: .seconds(600)).standardOutput.split(
      separator: "\n"
    )
    .compactMap { Double($0) }
    guard times.count == 2 else { throw ValidationError("dd over the loopback did not work: is python3 here?") }
    return times[1] - times[0]
  }

  private static func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
  }
}
