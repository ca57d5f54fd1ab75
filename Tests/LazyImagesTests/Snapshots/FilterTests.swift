import TestSupport
import Testing

@testable import LazyImages

@Suite struct FilterTests {
  static let info = SnapshotInfo(
    name: "k8s.io/12/sha256:abc", parent: "", kind: .committed, created: .now, updated: .now,
    labels: ["plain": "1", "containerd.io/gc.root": "a,b c", "a.b": "dotted"])

  @Test(arguments: [
    ("", true), ("name", true), ("nothing", false), ("kind==committed", true), ("kind!=committed", false),
    ("name==k8s.io/12/sha256:abc", true), (#"name=="k8s.io/12/sha256:abc""#, true), ("parent", true),
    (#"parent=="""#, true), (#"parent!="""#, false), ("labels.plain", true), ("labels.plain==1", true),
    ("labels.plain==2", false), ("labels.missing", false), ("labels.missing!=1", true), ("labels.missing==1", false),
    (#"labels."containerd.io/gc.root"=="a,b c""#, true), (#"labels."containerd.io/gc.root"==a"#, false),
    ("labels.a.b==dotted", true), ("labels", false), ("kind==committed,labels.plain==1", true),
    ("kind==committed,labels.plain==2", false), (" kind == committed , labels.plain ", true),
    ("name~=abc$", true), ("name~=^abc", false), (#"name~=/sha256:[a-c]{3}/"#, true), (#"name~=|io\/\d+\/|"#, true),
    (#"name~="^k8s\\.io""#, true), (#"parent~="^$""#, true), (#"labels.plain=="\x31""#, true),
    (#"labels.plain=="\061""#, true), (#"labels.plain=="\u0031""#, true),
  ]) func `a filter matches or not`(_ filter: String, _ expected: Bool) throws {
    #expect(try SnapshotFilter([filter]).matches(Self.info) == expected)
  }

  @Test func `one of several filters is enough, none matches everything`() throws {
    #expect(try SnapshotFilter([]).matches(Self.info))
    #expect(try SnapshotFilter(["kind==view", "labels.plain"]).matches(Self.info))
    #expect(try !SnapshotFilter(["kind==view", "labels.other"]).matches(Self.info))
  }

  @Test(arguments: [
    "name=", "name==", "=x", "name=x", "name===", "name=~x", "name==a b", "name,", ",", ".", "name.", "name..x",
    #"name==""#,
    #"name=="a"#, #"name=="\q""#, #"name=="\x1""#, #"name=="\400""#, #"name=="\ud800""#, #"name=="\xff""#, "name~=(",
    "name~=*", "name~=[z-a]", "name~=a**", "name~=a{2,1}", "name~=a{1001}", #"name~=/\q/"#, "name~=[[:nothing:]]",
    "name~=((a{1000}){1000}){1000}", "name~=((){1000}){1000}", "name==a\nb", "name!", "name==\"a\nb\"", "'name'==x",
  ]) func `a malformed filter is refused`(_ filter: String) {
    #expect(throws: SnapshotError.self) { try SnapshotFilter([filter]) }
  }

  @Test(arguments: [
    ("", "", true), ("a", "", false), ("a|b", "xbx", true), ("^a|b$", "ba", false), ("^(a|b)*$", "abba", true),
    ("^(?:ab)+$", "ababa", false), ("^a?b$", "b", true), ("^a{2,3}$", "aaaa", false), ("^a{2,}$", "aaaa", true),
    ("a{,2}", "a{,2}", true), ("^[^a-c]+$", "def", true), ("^[]a]$", "]", true), ("^[a-]$", "-", true),
    (".", "\n", false),
    ("(?s).", "\n", true), ("(?i)ABC", "xabcx", true), ("(?i:a)b", "AB", false), (#"\bfoo\b"#, "a foo b", true),
    (#"\bfoo\b"#, "afoo", false), (#"^\w+\s\d+$"#, "word 12", true), (#"^[\d\s]+$"#, "1 2", true),
    (#"^[\D]+$"#, "12", false),
    (#"^\x41\.$"#, "A.", true), ("(?m)^b$", "a\nb\nc", true), ("^b$", "a\nb\nc", false),
    ("^[[:alpha:]]+$", "abC", true),
    ("^[[:^alpha:]]+$", "123", true), ("^(?P<name>a)$", "a", true), ("長.$", "長屋", true), (#"\Aab\z"#, "ab", true),
    ("^a*?$", "aaa", true),
  ]) func `a pattern is found or not`(_ pattern: String, _ text: String, _ expected: Bool) throws {
    #expect(try FilterPattern(pattern).matches(text) == expected)
  }

  @Test func `no pattern makes a match last`() throws {
    let pattern = try FilterPattern("^(a|a|a|aa)*(a*)*(a?){100}b$")
    let clock = ContinuousClock()
    let text = String(repeating: "a", count: 4096)
    let duration = clock.measure { #expect(!pattern.matches(text)) }
    // Backtracking would need longer than the universe lasts.
    #expect(duration < .seconds(600))
  }

  /// Bytes from outside: whatever they are, there is an answer.
  @Test(arguments: 1...4 as ClosedRange<UInt64>) func `garbage is answered`(_ seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let pieces = [
      "name", "parent", "kind", "labels", ".", ",", "==", "!=", "~=", "=", "\"", "/", "|", "\\", "\\x4", "\\u00e9", "(",
      ")",
      "[", "]", "[^", "{2}", "{1,", "*", "+", "?", "(?i)", "(?P<", "^", "$", "a-", " ", "\n", "\0", "長", "é", "1",
      "[[:alpha:]]",
    ]
    var accepted = 0
    for _ in 0..<20_000 {
      var filter = ""
      for _ in 0..<Int.random(in: 0...12, using: &random) { filter += pieces.randomElement(using: &random) ?? "" }
      if let parsed = try? SnapshotFilter([filter]) {
        accepted += 1
        _ = parsed.matches(Self.info)
      }
    }
    #expect(accepted > 10)
  }

  /// Every text, quoted as Go quotes it, is found again.
  @Test(arguments: 1...2 as ClosedRange<UInt64>) func `a quoted value means itself`(_ seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<2000 {
      var value = ""
      var quoted = "\""
      for _ in 0..<Int.random(in: 0...20, using: &random) {
        let scalar = Unicode.Scalar(UInt32.random(in: 1...0x2FFF, using: &random)) ?? "x"
        value.unicodeScalars.append(scalar)
        if scalar.value < 128 || Bool.random(using: &random) {
          let hex = String(scalar.value, radix: 16)
          quoted += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
        } else {
          quoted.unicodeScalars.append(scalar)
        }
      }
      quoted += "\""
      var info = Self.info
      info.labels = [value.isEmpty ? "k" : value: value]
      let field = value.isEmpty ? "k" : quoted
      #expect(try SnapshotFilter(["labels.\(field)==\(quoted)"]).matches(info))
      #expect(try !SnapshotFilter(["labels.\(field)!=\(quoted)"]).matches(info))
    }
  }
}
