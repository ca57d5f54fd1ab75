import JSONDocument
import KubernetesAPI
import TestSupport
import Testing

@Suite("Quantities, times, names and selectors")
struct ScalarTests {
  @Test(
    "read quantities exactly",
    arguments: [
      ("1", 1000), ("500m", 500), ("1.5", 1500), ("0.0001", 1), ("1Ki", 1_024_000), ("1k", 1_000_000), ("-2", -2000),
      ("1e3", 1_000_000), ("1E3", 1_000_000), ("100n", 1), ("+3", 3000), (".5", 500), ("5.", 5000), ("0", 0),
    ] as [(String, Int64)])
  func quantities(_ text: String, _ milli: Int64) {
    #expect(Quantity(text)?.milliValue == milli)
    #expect(Quantity(text)?.description == text)
  }

  @Test(
    "refuse what is no quantity",
    arguments: [
      "", "a", "1 Gi", "1gi", "--1", "1e", "1e99999999999", "0x10", "1Gi ", "١", "1.2.3", ".", "m", "1e1.5", "e5",
      "1Ei5",
    ])
  func badQuantities(_ text: String) { #expect(Quantity(text) == nil) }

  @Test(
    "stop at the largest quantity, as Kubernetes does",
    arguments: [
      "9223372036854775807", "9223372036854775808", "1e99", "99999999999999999999", "9223372036854775807E", "8Ei",
      "1e2147483647", "9999999999.999999999Ei", "170141183460469231731687303715884105727Ki",
    ])
  func largestQuantities(_ text: String) {
    #expect(Quantity(text)?.value == .max)
    #expect(Quantity("-\(text)")?.value == -.max)
  }

  @Test(
    "round what is finer than a thousandth away from zero",
    arguments: [("1n", 1), ("0.00001", 1), ("1e-2147483648", 1), ("0.0001Ki", 103), ("1.0005", 1001), ("000.5", 500)]
      as [(String, Int64)])
  func fineQuantities(_ text: String, _ milli: Int64) {
    #expect(Quantity(text)?.milliValue == milli)
    #expect(Quantity("-\(text)")?.milliValue == -milli)
  }

  @Test("stay within what can be written, however far they are moved")
  func farTimes() {
    let now = Timestamp(seconds: 1_800_000_000)
    #expect(now.adding(seconds: .max).description == "9999-12-31T23:59:59Z")
    #expect(now.adding(seconds: .min).description == "0000-01-01T00:00:00Z")
    #expect(Timestamp(now.adding(seconds: .max).description) != nil)
    #expect(Timestamp(microseconds: .min).seconds(since: Timestamp(microseconds: .max)) < 0)
    for edge in [Int64.min, .max] {
      #expect(!Timestamp(microseconds: edge).description.isEmpty && !Timestamp(seconds: edge).microTime.isEmpty)
    }
  }

  @Test(
    "write bytes in the largest exact unit",
    arguments: [
      (0, "0"), (1023, "1023"), (1024, "1Ki"), (1536, "1536"), (3 << 30, "3Gi"), (1536 << 20, "1536Mi"),
      (1 << 50, "1Pi"),
    ] as [(Int64, String)])
  func bytes(_ count: Int64, _ text: String) {
    #expect(Quantity(bytes: count).description == text)
    #expect(Quantity(text)?.value == count)
  }

  @Test(
    "read times and write them in UTC",
    arguments: [
      ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z"), ("2026-11-22T10:00:00.5+02:00", "2026-11-22T08:00:00Z"),
      ("1969-12-31T23:59:59Z", "1969-12-31T23:59:59Z"), ("2024-02-29T00:00:00-01:30", "2024-02-29T01:30:00Z"),
      ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
    ])
  func times(_ text: String, _ written: String) {
    #expect(Timestamp(text)?.description == written)
  }

  @Test(
    "refuse what is no time",
    arguments: [
      "", "2026-11-22", "2026-11-22 10:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00",
      "2026-01-01T00:00:00+0100", "2026-02-30T00:00:00Z", "2026-01-01T00:00:00.Z",
    ])
  func badTimes(_ text: String) { #expect(Timestamp(text) == nil) }

  @Test(
    "keep every second of a long time",
    arguments: Array(stride(from: Int64(-62_000_000_000), to: 200_000_000_000, by: 7_777_777_777)))
  func timeRoundTrip(_ seconds: Int64) {
    let time = Timestamp(seconds: seconds)
    #expect(Timestamp(time.description) == time)
    let precise = Timestamp(microseconds: seconds * 1000 + 7)
    #expect(Timestamp(precise.microTime) == precise)
  }

  @Test(
    "print spans as kubectl does",
    arguments: [
      (0, "0s"), (119, "119s"), (120, "2m"), (150, "2m30s"), (599, "9m59s"), (600, "10m"), (10_799, "179m"),
      (10_800, "3h"),
      (11_460, "3h11m"), (28_800, "8h"), (172_799, "47h"), (172_800, "2d"), (176_400, "2d1h"), (691_200, "8d"),
      (63_072_000, "2y"), (-5, "0s"),
    ] as [(Int64, String)])
  func durations(_ seconds: Int64, _ text: String) { #expect(HumanDuration.text(seconds: seconds) == text) }

  @Test(
    "select by labels",
    arguments: [
      ("app=web", true), ("app==web", true), ("app!=web", false), ("app in (web, db)", true),
      ("app notin (web)", false),
      ("tier", false), ("!tier", true), ("tier!=x", true), ("app=web,!tier", true), ("app=web,tier=x", false),
      ("", true),
      ("x.io/y in (1)", true), ("app in (web),x.io/y notin (2,3)", true), ("n>3", true), ("n>5", false), ("n<6", true),
    ])
  func selectors(_ text: String, _ matches: Bool) throws {
    let selector = try LabelSelector(parsing: text)
    #expect(selector.matches(["app": "web", "x.io/y": "1", "n": "4"]) == matches)
    #expect(try LabelSelector(parsing: selector.text) == selector)
  }

  @Test(
    "refuse malformed selectors",
    arguments: [
      "app=(", "app in web", "app in (web", "a b", "=x", "!", "a=b=c", "a in (b))", "a/b/c=1", "-a=1", "a=-",
      "a within (b)",
    ])
  func badSelectors(_ text: String) {
    #expect(throws: LabelSelector.Malformed.self) { try LabelSelector(parsing: text) }
  }

  @Test(
    "know names",
    arguments: [
      ("a", true, true), ("a-b", true, true), ("a.b", false, true), ("A", false, false), ("-a", false, false),
      ("a-", false, false), ("", false, false), ("a..b", false, false),
      (String(repeating: "a", count: 64), false, true),
      (String(repeating: "a", count: 254), false, false), ("é", false, false), ("a_b", false, false),
    ])
  func names(_ text: String, _ isLabel: Bool, _ isSubdomain: Bool) {
    #expect(Names.isDNSLabel(text) == isLabel)
    #expect(Names.isDNSSubdomain(text) == isSubdomain)
  }

  @Test(
    "bytes become base64 and come back",
    arguments: [
      ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
      ("foobar", "Zm9v\nYmFy"), ("\u{FF}\u{BE}?", "w7/Cvj8="),
    ])
  func base64(_ plain: String, _ encoded: String) {
    #expect(Base64.encode(plain.utf8) == encoded.filter { $0 != "\n" })
    #expect(Base64.decode(encoded) == Array(plain.utf8))
    #expect(Base64.decodedCount(encoded) == plain.utf8.count)
    #expect(
      Base64.encodeForURL(plain.utf8)
        == String(encoded.compactMap { $0 == "/" ? "_" : $0 == "=" || $0 == "\n" ? nil : $0 }))
  }

  @Test("what is not base64 is refused", arguments: ["Z", "Zg=a", "Zm9*", "Zg===", "===="])
  func noBase64(_ text: String) { #expect(Base64.decode(text) == nil) }

  @Test("never crash on arbitrary text", arguments: 0..<10)
  func fuzz(_ seed: UInt64) {
    var generator = TextGenerator(seed: seed)
    for _ in 0..<500 {
      let text = generator.text(from: "0123456789.+-eEKMGmkniTPu:zZ ()!=,ab/\n[]{}\"'&*#|>", upTo: 30)
      if let quantity = Quantity(text) { #expect(Quantity(quantity.description) == quantity) }
      if let time = Timestamp(text) { #expect(Timestamp(time.microTime) == time) }
      if let selector = try? LabelSelector(parsing: text) {
        #expect((try? LabelSelector(parsing: selector.text)) == selector)
      }
      _ = try? YAML.parseAll(text)
    }
  }
}

/// Random text that is the same on every run.
struct TextGenerator {
  private var generator: SeededGenerator
  init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

  mutating func number(below bound: Int) -> Int { Int.random(in: 0..<bound, using: &generator) }

  mutating func text(from alphabet: String, upTo count: Int) -> String {
    let characters = Array(alphabet)
    return String((0..<number(below: count + 1)).map { _ in characters[number(below: characters.count)] })
  }
}
