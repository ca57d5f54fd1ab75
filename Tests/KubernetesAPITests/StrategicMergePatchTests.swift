import JSONDocument
import KubernetesAPI
import Testing

@Suite("Strategic merge patches")
struct StrategicMergePatchTests {
  static func apply(_ patch: String, to target: String, as schema: String = "io.k8s.api.core.v1.Pod") throws
    -> JSONValue
  {
    try StrategicMergePatch.apply(
      try JSONValue(parsing: patch), to: try JSONValue(parsing: target), schema: schema, catalog: .standard)
  }

  @Test(
    "merge by keys and obey their directives",
    arguments: [
      // An element with a known key is changed, one with a new key added.
      (
        #"{"spec":{"containers":[{"name":"b","image":"2"},{"name":"c","image":"3"}]}}"#,
        #"{"spec":{"containers":[{"name":"a","image":"1"},{"name":"b","image":"1","tty":true}]}}"#,
        #"{"spec":{"containers":[{"name":"a","image":"1"},{"name":"b","image":"2","tty":true},{"name":"c","image":"3"}]}}"#
      ),
      (
        #"{"spec":{"containers":[{"name":"a","$patch":"delete"}]}}"#,
        #"{"spec":{"containers":[{"name":"a"},{"name":"b"}]}}"#, #"{"spec":{"containers":[{"name":"b"}]}}"#
      ),
      (
        #"{"spec":{"containers":[{"name":"z"},{"$patch":"replace"}]}}"#,
        #"{"spec":{"containers":[{"name":"a"},{"name":"b"}]}}"#, #"{"spec":{"containers":[{"name":"z"}]}}"#
      ),
      (
        #"{"spec":{"containers":[{"name":"a","image":null,"env":[{"name":"X","value":"2"}]}]}}"#,
        #"{"spec":{"containers":[{"name":"a","image":"1","env":[{"name":"W","value":"0"},{"name":"X","value":"1"}]}]}}"#,
        #"{"spec":{"containers":[{"name":"a","env":[{"name":"W","value":"0"},{"name":"X","value":"2"}]}]}}"#
      ),
      // Atomic lists and scalars are replaced.
      (
        #"{"spec":{"tolerations":[{"key":"b"}],"hostname":"n"}}"#,
        #"{"spec":{"tolerations":[{"key":"a"}],"hostname":"o"}}"#,
        #"{"spec":{"tolerations":[{"key":"b"}],"hostname":"n"}}"#
      ),
      (
        #"{"metadata":{"labels":{"a":null,"c":"3"}}}"#, #"{"metadata":{"labels":{"a":"1","b":"2"}}}"#,
        #"{"metadata":{"labels":{"b":"2","c":"3"}}}"#
      ),
      (#"{"spec":{"$patch":"replace","nodeName":"n"}}"#, #"{"spec":{"hostname":"h"}}"#, #"{"spec":{"nodeName":"n"}}"#),
      (
        #"{"spec":{"nodeSelector":{"$patch":"delete"}}}"#, #"{"spec":{"nodeSelector":{"a":"b"}}}"#,
        #"{"spec":{"nodeSelector":{}}}"#
      ),
      // Sets of scalars.
      (
        #"{"metadata":{"finalizers":["b","c"]}}"#, #"{"metadata":{"finalizers":["a","b"]}}"#,
        #"{"metadata":{"finalizers":["a","b","c"]}}"#
      ),
      (
        #"{"metadata":{"$deleteFromPrimitiveList/finalizers":["a"]}}"#, #"{"metadata":{"finalizers":["a","b"]}}"#,
        #"{"metadata":{"finalizers":["b"]}}"#
      ),
      (
        #"{"metadata":{"finalizers":["c"],"$setElementOrder/finalizers":["c","a"]}}"#,
        #"{"metadata":{"finalizers":["a"]}}"#,
        #"{"metadata":{"finalizers":["c","a"]}}"#
      ),
      // An order of elements, with one that only the server knows.
      (
        #"{"spec":{"$setElementOrder/containers":[{"name":"c"},{"name":"a"}],"containers":[{"name":"c","image":"3"}]}}"#,
        #"{"spec":{"containers":[{"name":"sidecar"},{"name":"a"}]}}"#,
        #"{"spec":{"containers":[{"name":"c","image":"3"},{"name":"sidecar"},{"name":"a"}]}}"#
      ),
      (
        #"{"spec":{"$setElementOrder/containers":[{"name":"b"},{"name":"a"}]}}"#,
        #"{"spec":{"containers":[{"name":"a"},{"name":"b"}]}}"#, #"{"spec":{"containers":[{"name":"b"},{"name":"a"}]}}"#
      ),
      // A union keeps only the members that are named.
      (
        #"{"spec":{"volumes":[{"name":"v","$retainKeys":["name","emptyDir"],"emptyDir":{}}]}}"#,
        #"{"spec":{"volumes":[{"name":"v","configMap":{"name":"c"}}]}}"#,
        #"{"spec":{"volumes":[{"name":"v","emptyDir":{}}]}}"#
      ),
    ])
  func applies(_ patch: String, _ target: String, _ expected: String) throws {
    #expect(try Self.apply(patch, to: target) == (try JSONValue(parsing: expected)))
  }

  @Test(
    "that cannot be applied say where",
    arguments: [
      #"{"spec":{"containers":[{"image":"x"}]}}"#, #"{"spec":{"containers":["x"]}}"#, #"{"spec":{"$patch":"burn"}}"#,
      #"{"spec":{"$dance":1}}"#, #"{"spec":{"containers":[{"$patch":"delete"}]}}"#, "[]",
      #"{"spec":{"volumes":[{"name":"v","$retainKeys":["name"],"emptyDir":{}}]}}"#,
    ])
  func refuses(_ patch: String) {
    #expect(throws: JSONPatch.Failure.self) { try Self.apply(patch, to: #"{"spec":{"containers":[{"name":"a"}]}}"#) }
  }

  @Test("change the strategy of a deployment as kubectl apply does")
  func strategy() throws {
    let result = try Self.apply(
      #"{"spec":{"strategy":{"$retainKeys":["type"],"type":"Recreate","rollingUpdate":null}}}"#,
      to: #"{"spec":{"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":1}}}}"#,
      as: "io.k8s.api.apps.v1.Deployment")
    #expect(result == ["spec": ["strategy": ["type": "Recreate"]]])
  }

  @Test("without directives and lists do what a merge patch does, and twice is once")
  func agreesWithMergePatch() throws {
    let target: JSONValue = [
      "metadata": ["labels": ["a": "1"]], "spec": ["nodeSelector": ["x": "y"], "hostname": "h"],
    ]
    for patch: JSONValue in [
      ["metadata": ["labels": ["a": .null, "b": "2"]]], ["spec": .null],
      ["spec": ["hostname": "n", "nodeSelector": ["z": "1"]]],
    ] {
      let once = try StrategicMergePatch.apply(patch, to: target, schema: "io.k8s.api.core.v1.Pod", catalog: .standard)
      #expect(once == JSONPatch.merge(patch, into: target))
      #expect(
        try StrategicMergePatch.apply(patch, to: once, schema: "io.k8s.api.core.v1.Pod", catalog: .standard) == once)
    }
  }
}
