import JSONDocument
import TestSupport
import Testing

@Suite("JSON documents")
struct JSONParserTests {
  @Test(
    "are refused when malformed",
    arguments: [
      "", " ", "{", "[", "{]", "[1,]", "{\"a\":1,}", "{a:1}", "01", "-", "1.", ".5", "1e", "+1", "nul", "truefalse",
      "\"",
      "\"\\x\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\u{1}\"", "[1] 2", "1e999", "{\"a\" 1}", "NaN", "'a'",
    ])
  func refusesMalformed(_ text: String) {
    #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
  }

  @Test(
    "keep what they say",
    arguments: [
      ("9223372036854775807", JSONValue.integer(.max)), ("-9223372036854775808", .integer(.min)), ("1.5", .number(1.5)),
      ("1e3", .integer(1000)), (#""\u00e9\ud83c\udfe0\/\n""#, .string("é🏠/\n")), (" [ ] ", .array([])),
      (#"{"a":{"b":[null,true,false]}}"#, ["a": ["b": [.null, true, false]]]),
    ] as [(String, JSONValue)])
  func parses(_ text: String, _ expected: JSONValue) throws {
    #expect(try JSONValue(parsing: text) == expected)
  }

  @Test("with invalid UTF-8 are refused")
  func refusesInvalidUTF8() {
    #expect(throws: JSONError.self) { try JSONValue(parsing: [0x22, 0xFF, 0x22]) }
    #expect(throws: JSONError.self) { try JSONValue(parsing: [0x22, 0x5C, 0x6E, 0xC0, 0x80, 0x22]) }
  }

  @Test("are bounded in depth and size")
  func bounded() throws {
    let deep = String(repeating: "[", count: 1000) + String(repeating: "]", count: 1000)
    let error = #expect(throws: JSONError.self) { try JSONValue(parsing: deep) }
    #expect(error?.reason == .tooDeep(limit: 100))
    #expect(throws: JSONError.self) {
      try JSONValue(parsing: Array(repeating: UInt8(ascii: " "), count: 11), limits: JSONLimits(bytes: 10))
    }
    #expect(throws: JSONError.self) { try JSONValue(parsing: String(repeating: "{\"a\":", count: 500_000)) }
  }

  @Test("name the paths of members that occur twice")
  func duplicates() throws {
    var duplicates: [String] = []
    let value = try JSONValue(
      parsing: Array(#"{"spec":{"containers":[{"name":"a","name":"b"}]}}"#.utf8), duplicateKeys: &duplicates)
    #expect(duplicates == ["spec.containers[0].name"])
    #expect(value["spec"]["containers"][0]["name"] == "b")
  }

  @Test("are the same after writing and reading", arguments: 0..<50)
  func roundTrip(_ seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<40 {
      let value = JSONValue.random(depth: 5, using: &generator)
      let bytes = value.encoded()
      #expect(try JSONValue(parsing: bytes) == value)
      #expect(try JSONValue(parsing: bytes).encoded() == bytes)
      #expect(try JSONValue(parsing: value.encodedForReading()) == value)
    }
  }

  @Test("with broken bytes never crash the parser or the scanner", arguments: 0..<20)
  func fuzz(_ seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<200 {
      var bytes = JSONValue.object(["metadata": .random(depth: 4, using: &generator)]).encoded()
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let index = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<3, using: &generator) {
        case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes.remove(at: index)
        default: bytes.removeLast(min(bytes.count - 1, index))
        }
        if bytes.isEmpty { bytes = [0] }
      }
      if let value = try? JSONValue(parsing: bytes) { #expect((try? JSONValue(parsing: value.encoded())) != nil) }
      if let range = JSONScanner.range(of: ["metadata", "a"], in: bytes) {
        #expect(range.lowerBound >= 0 && range.upperBound <= bytes.count)
      }
    }
  }

  @Test("give the scanner what the tree has", arguments: 0..<20)
  func scanner(_ seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let inner = JSONValue.random(depth: 3, using: &generator)
    let value: JSONValue = [
      "kind": "Pod", "metadata": ["labels": inner, "name": "a\"b\\"], "spec": .random(depth: 4, using: &generator),
    ]
    let bytes = value.encoded()
    #expect(JSONScanner.value(at: ["metadata", "labels"], in: bytes) == inner)
    #expect(JSONScanner.string(at: ["metadata", "name"], in: bytes) == "a\"b\\")
    #expect(JSONScanner.value(at: ["metadata", "none"], in: bytes) == nil)
    let (holed, hole) = value.encoded(withHoleAt: ["metadata", "name"])
    #expect(hole.map { holed[$0 - 1...$0] } == [0x22, 0x22])
  }
}
