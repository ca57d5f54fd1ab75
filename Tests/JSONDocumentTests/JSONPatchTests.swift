import JSONDocument
import TestSupport
import Testing

@Suite("JSON patches")
struct JSONPatchTests {
  // The examples are ours; the cases follow RFC 6902, section 4 and RFC 7396, section 3.
  @Test(
    "do what their operations say",
    arguments: [
      (#"[{"op":"add","path":"/a","value":1}]"#, #"{}"#, #"{"a":1}"#),
      (#"[{"op":"add","path":"/a/1","value":9}]"#, #"{"a":[1,2]}"#, #"{"a":[1,9,2]}"#),
      (#"[{"op":"add","path":"/a/-","value":9}]"#, #"{"a":[1]}"#, #"{"a":[1,9]}"#),
      (#"[{"op":"remove","path":"/a/0"}]"#, #"{"a":[1,2]}"#, #"{"a":[2]}"#),
      (#"[{"op":"replace","path":"/a~1b","value":2}]"#, #"{"a/b":1}"#, #"{"a/b":2}"#),
      (#"[{"op":"move","from":"/a","path":"/b"}]"#, #"{"a":1}"#, #"{"b":1}"#),
      (#"[{"op":"copy","from":"/a","path":"/b"}]"#, #"{"a":[1]}"#, #"{"a":[1],"b":[1]}"#),
      (#"[{"op":"test","path":"/a","value":{"x":[1]}}]"#, #"{"a":{"x":[1]}}"#, #"{"a":{"x":[1]}}"#),
      (#"[{"op":"replace","path":"","value":3}]"#, #"{"a":1}"#, #"3"#),
    ])
  func applies(_ patch: String, _ document: String, _ expected: String) throws {
    let result = try JSONPatch.apply(try JSONValue(parsing: patch), to: try JSONValue(parsing: document))
    #expect(result == (try JSONValue(parsing: expected)))
  }

  @Test(
    "that cannot be applied change nothing and say why",
    arguments: [
      #"[{"op":"remove","path":"/b"}]"#, #"[{"op":"replace","path":"/b","value":1}]"#,
      #"[{"op":"add","path":"/x/y","value":1}]"#, #"[{"op":"add","path":"/l/5","value":1}]"#,
      #"[{"op":"add","path":"/l/01","value":1}]"#, #"[{"op":"add","path":"a","value":1}]"#,
      #"[{"op":"jump","path":"/a"}]"#,
      #"[{"op":"move","from":"/a","path":"/a/b"}]"#, #"{}"#, #"[{"op":"add","path":"/c"}]"#, #"[1]"#,
    ])
  func refuses(_ patch: String) throws {
    let patch = try JSONValue(parsing: patch)
    #expect(throws: JSONPatch.Failure.self) { try JSONPatch.apply(patch, to: ["a": 1, "l": [1]]) }
  }

  @Test("tell a test that fails from a malformed patch")
  func testFailure() throws {
    let error = #expect(throws: JSONPatch.Failure.self) {
      try JSONPatch.apply([["op": "test", "path": "/a", "value": 2]], to: ["a": 1])
    }
    #expect(error?.isTestFailure == true)
  }

  @Test("of the merge kind turn one document into another", arguments: 0..<50)
  func mergeProperty(_ seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let old = Self.withoutNulls(
      .object(["a": .random(depth: 4, using: &generator), "b": .random(depth: 3, using: &generator)]))
    let new = Self.withoutNulls(
      .object(["a": .random(depth: 4, using: &generator), "c": .random(depth: 3, using: &generator)]))
    #expect(JSONPatch.merge(Self.difference(old, new), into: old) == new)
  }

  /// The merge patch that turns one document into another.
  private static func difference(_ old: JSONValue, _ new: JSONValue) -> JSONValue {
    guard case .object(let before) = old, case .object(let after) = new else { return new }
    var patch: [String: JSONValue] = [:]
    for key in before.keys where after[key] == nil { patch[key] = .null }
    for (key, value) in after where before[key] != value {
      patch[key] = before[key].map { difference($0, value) } ?? value
    }
    return .object(patch)
  }

  /// Merge patches cannot write nulls, in objects.
  private static func withoutNulls(_ value: JSONValue) -> JSONValue {
    switch value {
    case .object(let members): .object(members.filter { !$0.value.isNull }.mapValues(withoutNulls))
    default: value
    }
  }
}
