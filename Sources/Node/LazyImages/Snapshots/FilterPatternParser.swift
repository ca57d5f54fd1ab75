/// Reads a regular expression.
struct FilterPatternParser {
  private let text: [Unicode.Scalar]
  private var index = 0
  private var depth = 0
  private var flags = Flags()

  /// `(?i)`, `(?s)`, `(?m)`
  private struct Flags {
    var ignoresCase = false
    var dotTakesAll = false
    var isMultiline = false
  }

  /// Groups in groups.
  static let depthLimit = 200
  static let repeatLimit = 1000

  init(_ text: String) { self.text = Array(text.unicodeScalars) }

  mutating func parse() throws(FilterPattern.Malformed) -> FilterPatternNode {
    let node = try choice()
    guard next == nil else { throw malformed("a ) without its (") }
    return node
  }

  private mutating func choice() throws(FilterPattern.Malformed) -> FilterPatternNode {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.depthLimit else { throw malformed("too many groups in groups") }
    var nodes = [try sequence()]
    while take("|") { nodes.append(try sequence()) }
    return nodes.count == 1 ? nodes[0] : .choice(nodes)
  }

  private mutating func sequence() throws(FilterPattern.Malformed) -> FilterPatternNode {
    var nodes: [FilterPatternNode] = []
    while let scalar = next, scalar != "|", scalar != ")" { nodes.append(try repetition()) }
    return nodes.count == 1 ? nodes[0] : .sequence(nodes)
  }

  private mutating func repetition() throws(FilterPattern.Malformed) -> FilterPatternNode {
    let node = try atom()
    let bounds: (Int, Int?)
    if take("*") {
      bounds = (0, nil)
    } else if take("+") {
      bounds = (1, nil)
    } else if take("?") {
      bounds = (0, 1)
    } else if let counted = try counts() {
      bounds = counted
    } else {
      return node
    }
    _ = take("?")  // fewest first: of no meaning where only a yes or no is asked
    if let scalar = next, "*+?".unicodeScalars.contains(scalar) { throw malformed("a repetition of a repetition") }
    return .repetition(node, least: bounds.0, most: bounds.1)
  }

  /// `{2}`, `{2,}`, `{2,5}`; anything else in braces stands for itself.
  private mutating func counts() throws(FilterPattern.Malformed) -> (Int, Int?)? {
    guard next == "{" else { return nil }
    let start = index
    index += 1
    guard let least = number() else {
      index = start
      return nil
    }
    var most: Int? = least
    if take(",") { most = next == "}" ? nil : number() ?? -1 }
    guard most != -1, take("}") else {
      index = start
      return nil
    }
    guard least <= Self.repeatLimit, most ?? 0 <= Self.repeatLimit, most.map({ $0 >= least }) ?? true else {
      throw malformed("a repetition beyond \(Self.repeatLimit), or with its bounds the wrong way round")
    }
    return (least, most)
  }

  private mutating func number() -> Int? {
    var value: Int?
    while let scalar = next, (48...57).contains(scalar.value) {
      value = min((value ?? 0) * 10 + Int(scalar.value - 48), 1 << 20)
      index += 1
    }
    return value
  }

  private mutating func atom() throws(FilterPattern.Malformed) -> FilterPatternNode {
    guard let scalar = next else { return .empty }
    if scalar == "{", let start = Optional(index), try counts() != nil {
      index = start
      throw malformed("nothing to repeat")
    }
    index += 1
    switch scalar {
    case "(": return try group()
    case "[": return .character(try bracket())
    case ".": return .character(flags.dotTakesAll ? .any : .anyOfLine)
    case "^": return .assert(flags.isMultiline ? .lineStart : .start)
    case "$": return .assert(flags.isMultiline ? .lineEnd : .end)
    case "*", "+", "?": throw malformed("nothing to repeat")
    case "\\":
      switch next {
      case "b": return assertion(.wordBoundary)
      case "B": return assertion(.noWordBoundary)
      case "A": return assertion(.start)
      case "z": return assertion(.end)
      default: return .character(folded(try escape()))
      }
    default: return .character(folded(FilterPatternClass(ranges: [scalar.value...scalar.value])))
    }
  }

  private mutating func assertion(_ assertion: FilterPattern.Assertion) -> FilterPatternNode {
    index += 1
    return .assert(assertion)
  }

  private mutating func group() throws(FilterPattern.Malformed) -> FilterPatternNode {
    let outer = flags
    if take("?") {
      if take("P") || next == "<" {
        guard take("<"), let end = text[index...].firstIndex(of: ">") else { throw malformed("a group's name") }
        index = end + 1
      } else {
        var value = true
        while let scalar = next, scalar != ":", scalar != ")" {
          switch scalar {
          case "i": flags.ignoresCase = value
          case "s": flags.dotTakesAll = value
          case "m": flags.isMultiline = value
          case "U": break
          case "-": value = false
          default: throw malformed("a flag that there is not")
          }
          index += 1
        }
        if take(")") { return .empty }  // for the rest of the group around it
        guard take(":") else { throw malformed("a ( without its )") }
      }
    }
    let node = try choice()
    guard take(")") else { throw malformed("a ( without its )") }
    flags = outer
    return node
  }

  private mutating func bracket() throws(FilterPattern.Malformed) -> FilterPatternClass {
    var set = FilterPatternClass(ranges: [])
    set.isNegated = take("^")
    var isFirst = true
    while let scalar = next, scalar != "]" || isFirst {
      isFirst = false
      if scalar == "[", index + 1 < text.count, text[index + 1] == ":" {
        set.ranges += try namedClass()
        continue
      }
      let low = try bracketItem()
      guard low.count == 1, low[0].count == 1, next == "-", index + 1 < text.count, text[index + 1] != "]" else {
        set.ranges += low
        continue
      }
      index += 1
      let high = try bracketItem()
      guard high.count == 1, high[0].count == 1, high[0].lowerBound >= low[0].lowerBound else {
        throw malformed("a range the wrong way round")
      }
      set.ranges.append(low[0].lowerBound...high[0].lowerBound)
    }
    guard take("]") else { throw malformed("a [ without its ]") }
    return folded(set)
  }

  private mutating func bracketItem() throws(FilterPattern.Malformed) -> [ClosedRange<UInt32>] {
    guard let scalar = next else { throw malformed("a [ without its ]") }
    index += 1
    guard scalar == "\\" else { return [scalar.value...scalar.value] }
    let set = try escape()
    return set.isNegated ? FilterPatternClass(ranges: set.ranges).inverted : set.ranges
  }

  private mutating func namedClass() throws(FilterPattern.Malformed) -> [ClosedRange<UInt32>] {
    let names: [String: [ClosedRange<UInt32>]] = [
      "alnum": [48...57, 65...90, 97...122], "alpha": [65...90, 97...122], "ascii": [0...127],
      "blank": [9...9, 32...32],
      "cntrl": [0...31, 127...127], "digit": [48...57], "graph": [33...126], "lower": [97...122], "print": [32...126],
      "punct": [33...47, 58...64, 91...96, 123...126], "space": [9...13, 32...32], "upper": [65...90],
      "word": FilterPatternClass.word.ranges, "xdigit": [48...57, 65...70, 97...102],
    ]
    index += 2
    let start = index
    while let scalar = next, scalar != ":" { index += 1 }
    var name = String(String.UnicodeScalarView(text[start..<index]))
    let isNegated = name.hasPrefix("^")
    if isNegated { name.removeFirst() }
    guard let ranges = names[name], take(":"), take("]") else { throw malformed("a class that there is not") }
    return isNegated ? FilterPatternClass(ranges: ranges).inverted : ranges
  }

  /// What follows a backslash.
  private mutating func escape() throws(FilterPattern.Malformed) -> FilterPatternClass {
    guard let scalar = next else { throw malformed("a backslash at the end") }
    index += 1
    func one(_ value: UInt32) -> FilterPatternClass { FilterPatternClass(ranges: [value...value]) }
    switch scalar {
    case "d": return .digit
    case "D": return FilterPatternClass(ranges: FilterPatternClass.digit.ranges, isNegated: true)
    case "w": return .word
    case "W": return FilterPatternClass(ranges: FilterPatternClass.word.ranges, isNegated: true)
    case "s": return .space
    case "S": return FilterPatternClass(ranges: FilterPatternClass.space.ranges, isNegated: true)
    case "a": return one(7)
    case "f": return one(12)
    case "n": return one(10)
    case "r": return one(13)
    case "t": return one(9)
    case "v": return one(11)
    case "x":
      let digits = text[index...].prefix(2)
      guard digits.count == 2, digits.allSatisfy({ $0.properties.isASCIIHexDigit }),
        let value = UInt32(String(String.UnicodeScalarView(digits)), radix: 16)
      else { throw malformed("an escape without its two digits") }
      index += 2
      return one(value)
    default:
      let isPlain = scalar.value >= 128 || FilterPatternClass.word.contains(scalar)
      guard !isPlain else { throw malformed("an escape that there is not") }
      return one(scalar.value)
    }
  }

  private func folded(_ set: FilterPatternClass) -> FilterPatternClass {
    var set = set
    set.ignoresCase = flags.ignoresCase
    return set
  }

  private var next: Unicode.Scalar? { index < text.count ? text[index] : nil }

  private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    guard next == scalar else { return false }
    index += 1
    return true
  }

  private func malformed(_ reason: String) -> FilterPattern.Malformed { .init(reason: reason, position: index) }
}
