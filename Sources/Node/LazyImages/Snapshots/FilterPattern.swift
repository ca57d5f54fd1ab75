/// A regular expression of a filter, in the usual part of RE2's syntax (the one of Go, in which filters are written).
///
/// Is matched in time proportional to text and pattern: all ways are followed at once (Thompson, "Regular expression search
/// algorithm", CACM 1968), so no filter makes the snapshotter busy for long.
struct FilterPattern: Sendable {
  struct Malformed: Error, Hashable, CustomStringConvertible {
    let reason: String
    /// Characters before it.
    let position: Int
    var description: String { "pattern: \(reason) at character \(position)" }
  }

  enum Instruction: Sendable {
    case character(FilterPatternClass)
    /// Go on at both.
    case split(Int, Int)
    case jump(Int)
    case assert(Assertion)
    case accept
  }

  enum Assertion: Sendable { case start, end, lineStart, lineEnd, wordBoundary, noWordBoundary }

  private let program: [Instruction]
  /// Parts that a pattern may have; repeats count as often as they are repeated.
  static let partLimit = 2000

  init(_ pattern: String) throws(Malformed) {
    var parser = FilterPatternParser(pattern)
    let node = try parser.parse()
    var program: [Instruction] = []
    var parts = Self.partLimit
    try Self.compile(node, into: &program, &parts)
    program.append(.accept)
    self.program = program
  }

  /// Whether some part of the text matches.
  func matches(_ text: String) -> Bool {
    let scalars = Array(text.unicodeScalars)
    var current: [Int] = []
    var marks = [Int](repeating: -1, count: program.count)
    for position in 0...scalars.count {
      var reached: [Int] = []
      var isAccepted = false
      for start in current + [0] {
        isAccepted = follow(start, position, scalars, &marks, &reached) || isAccepted
      }
      if isAccepted { return true }
      guard position < scalars.count else { return false }
      current = reached.compactMap { index in
        guard case .character(let set) = program[index], set.contains(scalars[position]) else { return nil }
        return index + 1
      }
    }
    return false
  }

  /// Adds the character instructions that are reached from `start` without reading; answers whether the end is.
  private func follow(
    _ start: Int, _ position: Int, _ text: [Unicode.Scalar], _ marks: inout [Int], _ reached: inout [Int]
  ) -> Bool {
    var stack = [start]
    while let index = stack.popLast() {
      if marks[index] == position { continue }
      marks[index] = position
      switch program[index] {
      case .accept: return true
      case .character: reached.append(index)
      case .jump(let target): stack.append(target)
      case .split(let first, let second): stack += [second, first]
      case .assert(let assertion): if Self.holds(assertion, position, text) { stack.append(index + 1) }
      }
    }
    return false
  }

  private static func holds(_ assertion: Assertion, _ position: Int, _ text: [Unicode.Scalar]) -> Bool {
    func isWord(_ index: Int) -> Bool {
      text.indices.contains(index) && FilterPatternClass.word.contains(text[index])
    }
    return switch assertion {
    case .start: position == 0
    case .end: position == text.count
    case .lineStart: position == 0 || text[position - 1] == "\n"
    case .lineEnd: position == text.count || text[position] == "\n"
    case .wordBoundary: isWord(position - 1) != isWord(position)
    case .noWordBoundary: isWord(position - 1) == isWord(position)
    }
  }

  private static func compile(_ node: FilterPatternNode, into program: inout [Instruction], _ parts: inout Int)
    throws(Malformed)
  {
    parts -= 1
    guard parts >= 0 else { throw Malformed(reason: "more than \(partLimit) parts", position: 0) }
    switch node {
    case .empty: break
    case .character(let set): program.append(.character(set))
    case .assert(let assertion): program.append(.assert(assertion))
    case .sequence(let nodes): for node in nodes { try compile(node, into: &program, &parts) }
    case .choice(let nodes):
      var ends: [Int] = []
      for (index, node) in nodes.enumerated() {
        guard index + 1 < nodes.count else {
          try compile(node, into: &program, &parts)
          break
        }
        let split = program.count
        program.append(.accept)  // is replaced below, when the place is known
        try compile(node, into: &program, &parts)
        ends.append(program.count)
        program.append(.accept)
        program[split] = .split(split + 1, program.count)
      }
      for end in ends { program[end] = .jump(program.count) }
    case .repetition(let node, let least, let most):
      for _ in 0..<least { try compile(node, into: &program, &parts) }
      guard let most else {
        let split = program.count
        program.append(.accept)
        try compile(node, into: &program, &parts)
        program.append(.jump(split))
        program[split] = .split(split + 1, program.count)
        return
      }
      var splits: [Int] = []
      for _ in least..<max(least, most) {
        splits.append(program.count)
        program.append(.accept)
        try compile(node, into: &program, &parts)
      }
      for split in splits { program[split] = .split(split + 1, program.count) }
    }
  }
}

/// A set of characters.
struct FilterPatternClass: Sendable {
  var ranges: [ClosedRange<UInt32>]
  var isNegated = false
  /// Whether the case of ASCII letters does not count.
  var ignoresCase = false

  static let digit = FilterPatternClass(ranges: [48...57])
  static let word = FilterPatternClass(ranges: [48...57, 65...90, 95...95, 97...122])
  static let space = FilterPatternClass(ranges: [9...10, 12...13, 32...32])
  static let any = FilterPatternClass(ranges: [], isNegated: true)
  static let anyOfLine = FilterPatternClass(ranges: [10...10], isNegated: true)

  /// The ranges outside of these.
  var inverted: [ClosedRange<UInt32>] {
    var result: [ClosedRange<UInt32>] = []
    var next: UInt32 = 0
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if range.lowerBound > next { result.append(next...range.lowerBound - 1) }
      next = max(next, range.upperBound + 1)
    }
    if next <= 0x10_FFFF { result.append(next...0x10_FFFF) }
    return result
  }

  func contains(_ scalar: Unicode.Scalar) -> Bool {
    func has(_ value: UInt32) -> Bool { ranges.contains { $0.contains(value) } }
    var found = has(scalar.value)
    if !found, ignoresCase {
      if (65...90).contains(scalar.value) { found = has(scalar.value + 32) }
      if (97...122).contains(scalar.value) { found = has(scalar.value - 32) }
    }
    return found != isNegated
  }
}

/// A pattern as it is written.
indirect enum FilterPatternNode: Sendable {
  case empty
  case character(FilterPatternClass)
  case assert(FilterPattern.Assertion)
  case sequence([FilterPatternNode])
  case choice([FilterPatternNode])
  /// `most` nil: without bound.
  case repetition(FilterPatternNode, least: Int, most: Int?)
}
