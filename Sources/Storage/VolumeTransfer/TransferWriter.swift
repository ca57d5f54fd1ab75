import Locking
import VolumePools

/// What the target does with what it is told, one call at a time.
final class TransferWriter: Sendable {
  private struct State {
    /// The next chunk that is told.
    var next: Int64 = 0
    var sum = VolumeSum()
    /// Chunks whose bytes are awaited.
    var awaited: [Int64: ChunkSum] = [:]
    /// Chunks that were written and not yet read again.
    var unproven: [(chunk: Int64, sum: ChunkSum?)] = []
  }

  private let contents: VolumeContents
  private let isWhole: Bool
  private let proves: Bool
  private let state = Mutex(State())

  /// So many are read again together: 1 GiB.
  private static let provenAtOnce = 4096

  /// - Parameters:
  ///   - isWhole: nothing may be lacking: nobody writes to it.
  ///   - proves: what was written is read again from the disk.
  init(_ contents: VolumeContents, isWhole: Bool, proves: Bool) {
    self.contents = contents
    self.isWhole = isWhole
    self.proves = proves
  }

  /// Compares what is here with what is told.
  /// - Returns: the places of those that are lacking.
  func compare(_ first: Int64, _ sums: [ChunkSum?]) throws -> [UInt16] {
    try state.withLock { state in
      guard first == state.next, first + Int64(sums.count) <= TransferChunk.count(contents.bytes) else {
        throw TransferError.protocolError("chunks out of their order")
      }
      guard state.awaited.isEmpty || state.awaited.count <= 4 * TransferChunk.perFrame else {
        throw TransferError.protocolError("sums without the chunks before them")
      }
      state.next = first + Int64(sums.count)
      var lacking: [UInt16] = []
      var buffer = [UInt8](repeating: 0, count: TransferChunk.bytes)
      for (place, sum) in sums.enumerated() {
        state.sum.add(sum)
        let chunk = first + Int64(place)
        let own = try read(chunk, &buffer)
        guard own != sum else { continue }
        guard !isWhole else { throw TransferError.failed("the copy was whole, and differs in chunk \(chunk)") }
        if let sum {
          lacking.append(UInt16(clamping: place))
          state.awaited[chunk] = sum
        } else {
          try contents.zero(at: offset(chunk), count: length(chunk))
          try wrote(chunk, nil, &state)
        }
      }
      return lacking
    }
  }

  func write(_ chunk: Int64, _ bytes: [UInt8]) throws {
    try state.withLock { state in
      guard let sum = state.awaited.removeValue(forKey: chunk), bytes.count == TransferChunk.bytes,
        bytes.withUnsafeBytes({ ChunkSum(of: $0) }) == sum
      else { throw TransferError.protocolError("a chunk that is not what was told") }
      let length = length(chunk)
      try contents.write(length == bytes.count ? bytes : Array(bytes[..<length]), at: offset(chunk))
      try wrote(chunk, sum, &state)
    }
  }

  /// All was told and sent: has it on the disk.
  /// - Returns: the sum of what is here.
  func finish() throws -> ChunkSum {
    try state.withLock { state in
      guard state.awaited.isEmpty, state.next == TransferChunk.count(contents.bytes) else {
        throw TransferError.protocolError("an end before all chunks")
      }
      try prove(&state)
      if !isWhole { try contents.sync() }
      contents.forget()
      return state.sum.result
    }
  }

  // MARK: Parts

  private func wrote(_ chunk: Int64, _ sum: ChunkSum?, _ state: inout State) throws {
    guard proves else { return }
    state.unproven.append((chunk, sum))
    if state.unproven.count >= Self.provenAtOnce { try prove(&state) }
  }

  /// Reads again from the disk what was written.
  private func prove(_ state: inout State) throws {
    guard !state.unproven.isEmpty else { return }
    try contents.sync()
    contents.forget()
    var buffer = [UInt8](repeating: 0, count: TransferChunk.bytes)
    for (chunk, sum) in state.unproven where try read(chunk, &buffer) != sum {
      throw TransferError.failed("chunk \(chunk) was written and reads differently: see the disk's health")
    }
    state.unproven = []
  }

  /// The sum of what is here.
  private func read(_ chunk: Int64, _ buffer: inout [UInt8]) throws -> ChunkSum? {
    guard let data = try contents.data(from: offset(chunk)), data.lowerBound < offset(chunk) + Int64(length(chunk))
    else { return nil }
    try buffer.withUnsafeMutableBytes { try contents.read(at: offset(chunk), into: $0) }
    return buffer.withUnsafeBytes { ChunkSum(of: $0) }
  }

  private func offset(_ chunk: Int64) -> Int64 { chunk * Int64(TransferChunk.bytes) }

  /// The last chunk may be shorter than others.
  private func length(_ chunk: Int64) -> Int {
    Int(clamping: min(Int64(TransferChunk.bytes), contents.bytes - offset(chunk)))
  }
}
