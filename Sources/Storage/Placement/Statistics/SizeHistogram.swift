/// How often which size was asked for, lately: a decaying histogram with bins of an eighth of an octave.
///
/// Old observations fade: each weighs `1 - 1/memory` of the next. Every bin also keeps the one exact size that makes up
/// most of it (the majority vote of Boyer and Moore, weighted), because slots are counted in exact sizes: 1000 GB and
/// 1 TiB are not the same number of volumes per node.
public struct SizeHistogram: Sendable, Hashable, Codable {
  /// A size and how much of the requests it stands for.
  public struct SizeShare: Sendable, Hashable {
    /// Bytes.
    public var bytes: Int64
    /// A share of all requests, in `0...1`.
    public var share: Double
    /// Means over the requests of about this size.
    public var milliCPU: Double
    public var memoryBytes: Double
  }

  struct Bin: Sendable, Hashable, Codable {
    var weight = 0.0
    var candidate: Int64 = 0
    var lead = 0.0
    var milliCPU = 0.0
    var memoryBytes = 0.0
  }

  static let binsPerOctave = 8.0
  /// After so many observations one has faded to 37 %.
  public let memory: Double
  private(set) var bins: [Bin] = []
  /// The weight of the next observation; grows instead of all others shrinking.
  private(set) var increment = 1.0
  /// The sum of all weights, in units of `increment` at the time it is read.
  private(set) var total = 0.0

  public init(memory: Double = 20_000) { self.memory = memory }

  /// Counts a request of a size in bytes with the processor and memory that came with it.
  public mutating func add(_ bytes: Int64, milliCPU: Double = 0, memoryBytes: Double = 0) {
    guard bytes > 0 else { return }
    increment *= 1 + 1 / memory
    if increment > 1e100 { rescale() }
    let weight = increment
    let index = Self.bin(of: bytes)
    if index >= bins.count { bins.append(contentsOf: repeatElement(Bin(), count: index + 1 - bins.count)) }
    var bin = bins[index]
    bin.weight += weight
    total += weight
    if bin.candidate == bytes {
      bin.lead += weight
    } else if bin.lead >= weight {
      bin.lead -= weight
    } else {
      (bin.candidate, bin.lead) = (bytes, weight - bin.lead)
    }
    bin.milliCPU += weight / bin.weight * (milliCPU - bin.milliCPU)
    bin.memoryBytes += weight / bin.weight * (memoryBytes - bin.memoryBytes)
    bins[index] = bin
  }

  /// How many observations the histogram rests on, faded ones counted less.
  public var observations: Double { total / increment }

  /// The sizes by their share, smallest size first; at most `limit`, the largest sizes and the most frequent kept.
  public func sizes(limit: Int = 24) -> [SizeShare] {
    guard total > 0 else { return [] }
    var all = bins.filter { $0.weight > 1e-9 * total }.map { bin in
      SizeShare(
        bytes: bin.candidate, share: bin.weight / total, milliCPU: bin.milliCPU, memoryBytes: bin.memoryBytes)
    }.sorted { $0.bytes < $1.bytes }
    // Too many: join the neighbours that together ask for the fewest bytes; small sizes go first.
    while all.count > limit {
      let pair = (0..<all.count - 1).min { left, right in
        joined(all, left) < joined(all, right)
      }
      guard let pair else { break }
      all[pair + 1].share += all[pair].share
      all.remove(at: pair)
    }
    return all
  }

  private func joined(_ sizes: [SizeShare], _ index: Int) -> Double {
    (sizes[index].share + sizes[index + 1].share) * Double(sizes[index + 1].bytes)
  }

  static func bin(of bytes: Int64) -> Int {
    let value = Double(bytes)
    // Linear within an octave is near enough to logarithmic, and exact on every machine.
    return Int(value.exponent) * Int(binsPerOctave) + Int((value.significand - 1) * binsPerOctave)
  }

  private mutating func rescale() {
    let factor = 1 / increment
    for index in bins.indices {
      bins[index].weight *= factor
      bins[index].lead *= factor
    }
    total *= factor
    increment = 1
  }
}
