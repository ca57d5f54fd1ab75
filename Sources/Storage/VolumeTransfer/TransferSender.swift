import LinuxSystem
import NIOCore
import NIOPosix
import NIOSSL
public import VolumePools

/// One round of a copy, as its source sees it.
public struct TransferRound: Sendable {
  /// The uid of the move.
  public var move: String
  public var volume: String
  /// The volume is sealed, and what is copied now is what the copy will be.
  public var isLast: Bool
  /// How much it may send; `nil`: as much as goes through.
  public var bytesPerSecond: Int64?

  public init(move: String, volume: String, isLast: Bool, bytesPerSecond: Int64? = nil) {
    self.move = move
    self.volume = volume
    self.isLast = isLast
    self.bytesPerSecond = bytesPerSecond
  }
}

/// How far a round is.
public struct TransferProgress: Sendable, Hashable {
  /// Of the volume's bytes, those that were compared.
  public var comparedBytes: Int64 = 0
  /// Those that were sent.
  public var sentBytes: Int64 = 0
  /// The sum of all of the volume's chunks (SHA-256 of their SHA-256, in order), once the round is over.
  public var checksum: String?
}

/// Where a copy goes.
public struct TransferTarget: Sendable, Hashable {
  /// `host:port`, or `[host]:port`.
  public var address: String
  /// Of its `TransferIdentity`.
  public var fingerprint: String

  public init(address: String, fingerprint: String) {
    self.address = address
    self.fingerprint = fingerprint
  }

  /// `nil` if the address is none.
  var hostAndPort: (host: String, port: Int)? {
    guard let colon = address.lastIndex(of: ":"), let port = Int(address[address.index(after: colon)...]),
      (1...65535).contains(port)
    else { return nil }
    var host = address[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
    return host.isEmpty ? nil : (String(host), port)
  }
}

/// The source's side of copies.
public struct TransferSender: Sendable {
  private let identity: TransferIdentity

  public init(identity: TransferIdentity) { self.identity = identity }

  /// Copies what the target lacks.
  /// - Parameter progress: called now and then, and at the end.
  /// - Returns: how it ended.
  /// - Throws: `TransferError`, `VolumeError`; what is there already need not be sent again.
  public func send(
    _ round: TransferRound, from pool: any VolumeBackend, to target: TransferTarget,
    progress: @escaping @Sendable (TransferProgress) async -> Void = { _ in }
  ) async throws -> TransferProgress {
    guard let (host, port) = target.hostAndPort else {
      throw TransferError.failed("\"\(target.address.prefix(200))\" is no address of a node")
    }
    let traits = try await pool.traits(of: round.volume)
    let context = try identity.clientContext()
    let fingerprint = target.fingerprint
    let channel: TransferChannel
    do {
      channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .connectTimeout(.seconds(10))
        .connect(host: host, port: port) { channel in
          channel.eventLoop.makeCompletedFuture {
            let tls = try NIOSSLClientHandler(
              context: context, serverHostname: nil,
              customVerificationCallback: TransferIdentity.verification { $0 == fingerprint })
            return try TransferPipeline.dress(channel, tls)
          }
        }
    } catch { throw TransferError.failed("cannot reach \(target.address): \(error)") }
    do {
      return try await channel.executeThenClose { inbound, outbound in
        var talk = TransferConversation(inbound, outbound)
        do {
          let result = try await Self.copy(
            round, traits, try await pool.lendContents(of: round.volume, writing: false), &talk, progress)
          await pool.returnContents(of: round.volume)
          return result
        } catch {
          await pool.returnContents(of: round.volume)
          throw error
        }
      }
    } catch let error as TransferError { throw error } catch let error as VolumeError { throw error } catch let error
      as CancellationError
    { throw error } catch { throw TransferError.failed("the copy to \(target.address) ended: \(error)") }
  }

  /// Chunks that were told and whose answer is awaited.
  private struct Told: Sendable {
    let first: Int64
    /// `nil` for zeros.
    let chunks: [[UInt8]?]
  }

  /// Frames of sums that are under way at once: the other side compares while this one reads.
  private static let window = 4

  private static func copy(
    _ round: TransferRound, _ traits: VolumeTraits, _ contents: VolumeContents, _ talk: inout TransferConversation,
    _ report: @Sendable (TransferProgress) async -> Void
  ) async throws -> TransferProgress {
    try await talk.send(
      .hello(TransferGreeting(move: round.move, volume: round.volume, traits: traits, isLast: round.isLast)))
    guard case .welcome(let bytes) = try await talk.receive(), bytes >= traits.bytes, bytes <= traits.bytes + (1 << 40)
    else { throw TransferError.protocolError("no welcome") }
    let count = TransferChunk.count(bytes)
    var progress = TransferProgress()
    var sum = VolumeSum()
    var next: Int64 = 0
    var told: [Told] = []
    let start = ContinuousClock.now
    var reported = start
    while next < count || !told.isEmpty {
      while next < count, told.count < window {
        let first = next
        let (chunks, sums) = try await BlockingWork.run { try read(contents, from: first, count) }
        for one in sums { sum.add(one) }
        try await talk.send(.sums(first: first, sums))
        told.append(Told(first: first, chunks: chunks))
        next += Int64(chunks.count)
      }
      let head = told.removeFirst()
      guard case .wants(head.first, let places) = try await talk.receive() else {
        throw TransferError.protocolError("something else than which chunks it lacks")
      }
      for place in places {
        guard Int(place) < head.chunks.count, let chunk = head.chunks[Int(place)] else {
          throw TransferError.protocolError("a wish for a chunk that was not told")
        }
        try await talk.send(.data(chunk: head.first + Int64(place), chunk))
        progress.sentBytes += Int64(chunk.count)
        if let limit = round.bytesPerSecond { try await keep(limit, sent: progress.sentBytes, since: start) }
      }
      progress.comparedBytes = min(traits.bytes, (head.first + Int64(head.chunks.count)) * Int64(TransferChunk.bytes))
      if ContinuousClock.now - reported > .seconds(1) {
        await report(progress)
        reported = .now
      }
      try Task.checkCancellation()
    }
    try await talk.send(.end(sum.result))
    guard case .done(let theirs) = try await talk.receive(), !round.isLast || theirs == sum.result else {
      throw TransferError.failed("the copy on the other node has another checksum")
    }
    progress.comparedBytes = traits.bytes
    progress.checksum = sum.result.hex
    await report(progress)
    return progress
  }

  /// The next chunks, as many as one frame takes.
  private static func read(_ contents: VolumeContents, from first: Int64, _ count: Int64) throws -> (
    [[UInt8]?], [ChunkSum?]
  ) {
    var chunks: [[UInt8]?] = []
    var sums: [ChunkSum?] = []
    var filled = 0
    var data: Range<Int64>?
    let size = Int64(TransferChunk.bytes)
    var index = first
    while index < count, chunks.count < TransferChunk.perFrame, filled < TransferChunk.dataPerFrame {
      let range = index * size..<(index + 1) * size
      if data.map({ $0.upperBound <= range.lowerBound }) ?? true {
        data = try contents.data(from: range.lowerBound) ?? .max - 1..<Int64.max
      }
      if let data, data.lowerBound >= range.upperBound {
        chunks.append(nil)
        sums.append(nil)
      } else {
        var chunk = [UInt8](repeating: 0, count: TransferChunk.bytes)
        try chunk.withUnsafeMutableBytes { try contents.read(at: range.lowerBound, into: $0) }
        let sum = chunk.withUnsafeBytes { ChunkSum(of: $0) }
        sums.append(sum)
        chunks.append(sum == nil ? nil : chunk)
        filled += 1
      }
      index += 1
    }
    return (chunks, sums)
  }

  /// Waits until no more was sent than may be.
  private static func keep(_ bytesPerSecond: Int64, sent: Int64, since start: ContinuousClock.Instant) async throws {
    let due = Duration.seconds(Double(sent) / Double(max(1, bytesPerSecond)))
    let ahead = start + due - .now
    if ahead > .milliseconds(20) { try await Task.sleep(for: ahead) }
  }
}
