import JSONDocument
import KubernetesAPI
import Testing

@Suite("YAML")
struct YAMLTests {
  @Test(
    "reads manifests as kubectl does",
    arguments: [
      ("a: 1\nb: [x, 'y', \"1\"]\n", #"{"a":1,"b":["x","y","1"]}"#),
      ("mode: 0644\nhex: 0x10\nbig: 9223372036854775807\n", #"{"mode":420,"hex":16,"big":9223372036854775807}"#),
      ("t: true\nf: False\nn: null\ne:\nq: \"true\"\n", #"{"t":true,"f":false,"n":null,"e":null,"q":"true"}"#),
      ("s: |\n  line [31m { [ [ [\n  two\n", #"{"s":"line [31m { [ [ [\ntwo\n"}"#),
      ("x: &a {k: v}\ny: *a\n", #"{"x":{"k":"v"},"y":{"k":"v"}}"#),
      ("f: 1.5\nv: 1.2.3\nd: 2026-11-22\n", #"{"f":1.5,"v":"1.2.3","d":"2026-11-22"}"#),
      ("{\"json\": [1, {\"is\": \"yaml\"}]}", #"{"json":[1,{"is":"yaml"}]}"#),
    ])
  func reads(_ text: String, _ expected: String) throws {
    #expect(try YAML.parseAll(text) == [try JSONValue(parsing: expected)])
  }

  @Test("reads every document of a stream")
  func streams() throws {
    #expect(try YAML.parseAll("---\na: 1\n---\n# nothing\n---\nb: 2\n...\n") == [["a": 1], ["b": 2]])
    #expect(try YAML.parseAll("") == [])
  }

  @Test("is refused when malformed", arguments: ["a: [", "a: b: c", "\ta: 1", "*nowhere", "? [1]\n: 2", "a: \""])
  func refusesMalformed(_ text: String) {
    #expect(throws: YAML.Failure.self) { try YAML.parseAll(text) }
  }

  /// By name: their texts would fill the log.
  enum Hostile: String, CaseIterable {
    case deepFlowSequences, deepDashes, deepIndentation, deepFlowMappings, billionLaughs

    var text: String {
      switch self {
      case .deepFlowSequences: String(repeating: "[", count: 5000) + String(repeating: "]", count: 5000)
      case .deepDashes: String(repeating: "- ", count: 5000) + "x"
      case .deepIndentation: (0..<2000).map { String(repeating: " ", count: $0) + "a:" }.joined(separator: "\n")
      case .deepFlowMappings: String(repeating: "{a: ", count: 500) + "1" + String(repeating: "}", count: 500)
      case .billionLaughs:
        "l0: &l0 [x]\n"
          + (1...9).map { level in
            let aliases = Array(repeating: "*l\(level - 1)", count: 10).joined(separator: ", ")
            return "l\(level): &l\(level) [\(aliases)]\n"
          }.joined()
      }
    }
  }

  @Test("is refused when hostile", arguments: Hostile.allCases)
  func refusesHostile(_ hostile: Hostile) {
    #expect(throws: YAML.Failure.self) { try YAML.parseAll(hostile.text) }
  }

  @Test("keeps text full of brackets and colour codes")
  func brackets() throws {
    let script = (0..<2000).map { "  echo \u{5C}e[\($0)m[[ x{" }.joined(separator: "\n")
    let value = try #require(try YAML.parseAll("data: |\n\(script)\n").first)
    #expect(value["data"].string?.contains("e[1999m") == true)
  }

  @Test(
    "says the same after writing and reading",
    arguments: [
      #"{"a":"yes","b":"1","c":"","d":[],"e":{},"f":null,"g":"multi\nline\n","h":"- x","i":1.5,"j":-3,"k":"null"}"#,
      ##"{"n":[[1,[2]],{"x":[{"y":"z"}]}],"o":"a: b","p":"#c","q":"0x1F","r":"1e3","s":" lead","t":"trail ","u":"é長🏠"}"##,
      #"{"date":"2026-11-22","time":"10:20:30","tilde":"~","star":"*x","amp":"&y","bang":"!z","at":"@","pct":"%","quote":"\"'"}"#,
      #"{"on":true,"1":"number key","true":"bool key","multi":"a\n\n  b\nc","tab":"a\tb"}"#,
    ])
  func roundTrip(_ text: String) throws {
    let value = try JSONValue(parsing: text)
    #expect(try YAML.parseAll(try YAML.text(of: value)) == [value])
  }
}
