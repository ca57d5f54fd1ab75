import Crypto
import VolumePools

/// A part of a volume as it is compared.
enum TransferChunk {
  /// Bytes: small enough that a changed page costs little, large enough that sums cost nothing.
  static let bytes = 256 << 10
  /// Chunks that are told at once, at most.
  static let perFrame = 256
  /// Of them with data, which the source keeps until it knows whether they are wanted.
  static let dataPerFrame = 16

  static func count(_ volumeBytes: Int64) -> Int64 { (volumeBytes + Int64(bytes) - 1) / Int64(bytes) }
}

/// The SHA-256 of a chunk that is not all zeros.
struct ChunkSum: Sendable, Hashable {
  var words: (UInt64, UInt64, UInt64, UInt64)

  init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

  /// `nil` for zeros.
  init?(of chunk: UnsafeRawBufferPointer) {
    guard !Self.isZero(chunk) else { return nil }
    self.init(SHA256.hash(data: chunk))
  }

  init(_ digest: SHA256.Digest) {
    words = digest.withUnsafeBytes { bytes in
      func word(_ index: Int) -> UInt64 {
        UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
      }
      return (word(0), word(1), word(2), word(3))
    }
  }

  static func isZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var offset = 0
    while offset + 8 <= bytes.count {
      if bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self) != 0 { return false }
      offset += 8
    }
    return bytes[offset...].allSatisfy { $0 == 0 }
  }

  static func == (one: ChunkSum, other: ChunkSum) -> Bool { one.words == other.words }

  func hash(into hasher: inout Hasher) { hasher.combine(words.0) }

  var hex: String {
    [words.0, words.1, words.2, words.3].map { word in
      let digits = String(word, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
  }
}

/// The sum of all sums, in the order of the chunks: what both sides must agree on.
struct VolumeSum {
  private var hash = SHA256()

  mutating func add(_ sum: ChunkSum?) {
    let words = sum?.words ?? (0, 0, 0, 0)
    withUnsafeBytes(of: (words.0.bigEndian, words.1.bigEndian, words.2.bigEndian, words.3.bigEndian)) {
      hash.update(bufferPointer: $0)
    }
  }

  var result: ChunkSum { ChunkSum(hash.finalize()) }
}

/// What the two sides say to each other.
enum TransferFrame: Sendable, Hashable {
  /// Source: who it is about. The target answers `welcome`, or `refusal` and closes.
  case hello(TransferGreeting)
  /// Target: the size of its copy.
  case welcome(bytes: Int64)
  /// Either: why it goes no further.
  case refusal(String)
  /// Source: chunks from `first` on; `nil` stands for zeros. The target answers `wants` with the same `first`.
  case sums(first: Int64, [ChunkSum?])
  /// Target: which of them it lacks, each as its place in the frame.
  case wants(first: Int64, [UInt16])
  /// Source: the bytes of one that was wanted.
  case data(chunk: Int64, [UInt8])
  /// Source: that was all, and its sum.
  case end(ChunkSum)
  /// Target: all is on its disk; of the last round with the sum of what it has read there.
  case done(ChunkSum)
}

/// What a round is about.
struct TransferGreeting: Sendable, Hashable {
  /// The uid of the move.
  var move: String
  var volume: String
  var traits: VolumeTraits
  /// The volume is sealed: what is copied now is what the copy will be.
  var isLast: Bool
}
