import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Locking
import TestSupport
import Testing

/// Small requests that would become large: kept in the store, or sent back.
@Suite("Attacks by requests that grow", .serialized)
struct AmplificationAttacks {
  /// How much larger than what came in anything may become that is kept or sent. Defaults and field names make more of
  /// an object than its bytes were, but not much more of a large one.
  static let allowed = 8.0

  struct Case: Sendable, CustomTestStringConvertible {
    let way: String
    let method: APIRequest.Method
    let path: String
    let contentType: String
    let body: @Sendable () -> String
    /// Bytes that the attacker put there before, and that count as sent.
    var before = 0
    var accept: String?

    init(
      _ way: String, _ method: APIRequest.Method, _ path: String, _ contentType: String, before: Int = 0,
      accept: String? = nil, body: @escaping @Sendable () -> String
    ) {
      (self.way, self.method, self.path, self.contentType) = (way, method, path, contentType)
      (self.before, self.accept, self.body) = (before, accept, body)
    }
    var testDescription: String { way }
  }

  private static let (json, yaml) = ("application/json", "application/yaml")
  private static let (patch, merge, strategic) = (
    "application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json"
  )
  private static let space = "/api/v1/namespaces/green-dev"
  private static let maps = "\(space)/configmaps"
  private static let pods = "\(space)/pods"
  private static let deployments = "/apis/apps/v1/namespaces/green-dev/deployments"
  /// What is there when a try begins: a config map of 600 KB, and a deployment.
  private static let largeBytes = 600_000

  private static func text(_ count: Int) -> String { String(repeating: "x", count: count) }
  private static func list(_ element: String, _ count: Int) -> String {
    Array(repeating: element, count: count).joined(separator: ",")
  }
  private static let template =
    #""selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"a/b:1"}]}}"#

  /// `&` a text of 10 KB, and ninety times `*`, or three levels of it.
  private static func aliases(_ head: String, _ count: Int) -> String {
    "\(head)\nx: &a \(text(10_000))\ndata:\n" + (0..<count).map { "  k\($0): *a\n" }.joined()
  }
  private static let laughs =
    "a0: &a0 [\(list("xxxxxxxxxx", 10))]\n"
    + (1...9).map { "a\($0): &a\($0) [\(list("*a\($0 - 1)", 10))]\n" }.joined()

  static let cases: [Case] = [
    Case("YAML aliases in a config map", .post, maps, yaml) { aliases("metadata: {name: y}", 900) },
    Case("YAML aliases in a deployment's args", .post, deployments, yaml) {
      """
      metadata: {name: y}
      spec:
        selector: {matchLabels: {a: b}}
        template:
          metadata: {labels: {a: b}}
          spec:
            containers:
            - name: c
              image: a/b:1
              command: [&a \(text(500_000))]
              args: [\(list("*a", 90))]
      """
    },
    Case("YAML aliases of aliases", .post, maps, yaml) { "\(laughs)metadata: {name: y}\ndata: *a9\n" },
    Case("YAML aliases of aliases as a key", .post, maps, yaml) { "\(laughs)? *a9\n: x\n" },
    Case("YAML aliases of aliases as a key in a flow", .post, maps, yaml) { "\(laughs)data: {[*a9, *a9]: x}\n" },
    Case("YAML aliases in many documents", .post, maps, yaml) {
      Array(repeating: aliases("metadata: {name: y}", 100), count: 20).joined(separator: "---\n")
    },
    Case("YAML aliases that replace an object", .put, "\(maps)/large", yaml) {
      aliases("metadata: {name: large}", 900)
    },
    Case("YAML aliases in an access review", .post, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", yaml) {
      "x: &a \(text(10_000))\nspec:\n  resourceAttributes: {verb: get, resource: pods}\n  junk: [\(list("*a", 400))]\n"
    },
    Case("YAML aliases in the options of a deletion", .delete, "\(maps)/large", yaml) {
      "x: &a \(text(10_000))\njunk: [\(list("*a", 900))]\n"
    },
    Case("YAML aliases in a scale", .put, "\(deployments)/web/scale", yaml) {
      "x: &a \(text(10_000))\nspec: {replicas: 1}\njunk: [\(list("*a", 900))]\n"
    },
    Case("JSON patch that copies an object into itself", .patch, "\(maps)/large", patch, before: largeBytes) {
      "[" + (0..<30).map { #"{"op":"copy","from":"/data","path":"/data/c\#($0)"}"# }.joined(separator: ",") + "]"
    },
    Case("JSON patch that copies a value many times", .patch, "\(maps)/large", patch, before: largeBytes) {
      "[" + (0..<900).map { #"{"op":"copy","from":"/data/k","path":"/data/c\#($0)"}"# }.joined(separator: ",") + "]"
    },
    Case("JSON patch that copies labels", .patch, "\(deployments)/web", patch) {
      #"[{"op":"add","path":"/metadata/annotations","value":{"a":"\#(text(100_000))"}},"#
        + (0..<900).map { #"{"op":"copy","from":"/metadata/annotations/a","path":"/metadata/annotations/c\#($0)"}"# }
        .joined(separator: ",") + "]"
    },
    Case("JSON patch of a scale that copies", .patch, "\(deployments)/web/scale", patch) {
      #"[{"op":"add","path":"/x","value":"\#(text(100_000))"},"#
        + (0..<30).map { #"{"op":"copy","from":"","path":"/c\#($0)"}"# }.joined(separator: ",") + "]"
    },
    Case("JSON patch of a status that copies", .patch, "\(deployments)/web/status", patch) {
      #"[{"op":"add","path":"/status/conditions","value":[{"type":"\#(text(100_000))","status":"True"}]},"#
        + (0..<30).map { _ in #"{"op":"copy","from":"/status/conditions/0","path":"/status/conditions/-"}"# }
        .joined(separator: ",") + "]"
    },
    Case("JSON patch that moves a long array again and again", .patch, "\(deployments)/web", patch) {
      #"[{"op":"add","path":"/x","value":[\#(list("1", 90_000))]},"#
        + (0..<2000).map { _ in #"{"op":"add","path":"/x/0","value":1}"# }.joined(separator: ",") + "]"
    },
    Case("merge patch onto a large object", .patch, "\(maps)/large", merge, before: largeBytes) {
      #"{"data":{"b":"\#(text(1_200_000))"}}"#
    },
    Case("strategic merge onto a large object", .patch, "\(maps)/large", strategic, before: largeBytes) {
      #"{"data":{"b":"\#(text(1_200_000))"}}"#
    },
    Case("strategic merge of a list of forty thousand", .patch, "\(deployments)/web", strategic) {
      let containers = (0..<40_000).map { #"{"name":"c\#($0)"}"# }.joined(separator: ",")
      return #"{"spec":{"template":{"spec":{"containers":[\#(containers)]}}}}"#
    },
    Case("an object above 1.5 MiB", .post, maps, json) {
      #"{"metadata":{"name":"y","annotations":{"a":"b"}},"data":{"k":"\#(text(1_600_000))"}}"#
    },
    Case("a pod above 1.5 MiB", .post, pods, json) {
      #"{"metadata":{"name":"y"},"spec":{"containers":[{"name":"c","image":"a/b:1","args":["\#(text(1_600_000))"]}]}}"#
    },
    Case("a body above 3 MiB", .post, maps, json) { #"{"metadata":{"name":"y"},"data":{"k":"\#(text(4_000_000))"}}"# },
    Case("a million empty values", .post, pods, json) {
      #"{"metadata":{"name":"y"},"spec":{"containers":[\#(list("{}", 1_000_000))]}}"#
    },
    Case("containers that become large by their defaults", .post, pods, json) {
      let containers = (0..<30_000).map { #"{"name":"c\#($0)","image":"a"}"# }.joined(separator: ",")
      return #"{"metadata":{"name":"y"},"spec":{"containers":[\#(containers)]}}"#
    },
    Case("many empty containers", .post, pods, json) {
      #"{"metadata":{"name":"y"},"spec":{"containers":[\#(list("{}", 90_000))]}}"#
    },
    Case("many faults in one object", .post, pods, json) {
      let mounts = list("{}", 40_000)
      return
        #"{"metadata":{"name":"y"},"spec":{"containers":[{"name":"c","image":"a","volumeMounts":[\#(mounts)]}]}}"#
    },
    Case("many duplicates below a long key", .post, "\(maps)?fieldValidation=Strict", json) {
      #"{"\#(text(500_000))":{\#(list(#""a":1"#, 90_000))}}"#
    },
    Case("many unknown fields with long names", .post, "\(maps)?fieldValidation=Strict", json) {
      #"{"metadata":{"name":"y"},\#((0..<90).map { "\"\(text(20_000))\($0)\":1" }.joined(separator: ","))}"#
    },
    Case("many unknown fields, as warnings", .post, "\(maps)?fieldValidation=Warn&dryRun=All", json) {
      #"{"metadata":{"name":"y"},\#((0..<90).map { "\"\(text(20_000))\($0)\":1" }.joined(separator: ","))}"#
    },
    Case("a kind of 2 MB that the refusal repeats", .post, maps, json) {
      #"{"kind":"\#(text(2_000_000))","metadata":{"name":"y"}}"#
    },
    Case("a choice of 1 MB that the refusal repeats", .post, pods, json) {
      #"{"metadata":{"name":"y"},"spec":{"restartPolicy":"\#(text(1_000_000))","containers":[{"name":"c","image":"a"}]}}"#
    },
    Case("an access review that is repeated", .post, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", json) {
      #"{"spec":{"resourceAttributes":{"verb":"get","resource":"pods"},"junk":"\#(text(1_000_000))"}}"#
    },
    Case("a small access review with junk", .post, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", json) {
      #"{"spec":{"resourceAttributes":{"verb":"get","resource":"pods"},"junk":"\#(text(100_000))"}}"#
    },
    Case("gzip that is taken for JSON", .post, maps, json) { "\u{1F}\u{8B}\(text(100_000))" },
    Case(
      "a table of a large object", .get, "\(maps)/large", json, before: largeBytes,
      accept: "application/json;as=Table;v=v1;g=meta.k8s.io"
    ) { "" },
    Case(
      "a table of a large object with the object", .get, "\(maps)?includeObject=Object", json, before: largeBytes,
      accept: "application/json;as=Table;v=v1;g=meta.k8s.io"
    ) { "" },
    Case("a dry run of copies", .patch, "\(maps)/large?dryRun=All", patch, before: largeBytes) {
      "[" + (0..<30).map { #"{"op":"copy","from":"/data","path":"/data/c\#($0)"}"# }.joined(separator: ",") + "]"
    },
  ]

  private static let worst = Mutex(0.0)

  @Test("a request becomes no more than what it is", arguments: cases)
  func request(_ test: Case) async throws {
    let held = try await attempt(Attack(.editor, test.way, on: .nodeMemory)) {
      try await AttackStage.with { stage in
        try await Self.prepare(stage)
        let body = Array(test.body().utf8)
        let parts = test.path.split(separator: "?")
        let pairs = parts.count < 2 ? [] : parts[1].split(separator: "&").map { $0.split(separator: "=") }
        let query: [(name: String, value: String)] = pairs.map { (String($0[0]), String($0[1])) }
        let answer = await stage.server.respond(
          to: APIRequest(
            test.method, String(parts[0]), query: query, contentType: test.contentType, accept: test.accept, body: body),
          from: UserInfo(name: "editor", groups: ["system:authenticated"]))
        let sent = try await answer.body.collect().count + answer.headers.reduce(0) { $0 + $1.value.utf8.count }
        let kept = try await Self.largest(stage)
        let cost = max(body.count + test.before, 1)
        let factor = Double(max(sent, kept > Self.largeBytes + 10_000 ? kept : 0)) / Double(cost)
        Self.worst.withLock { $0 = max($0, factor) }
        return .check(
          factor <= Self.allowed && kept <= 3 << 19 && answer.status < 500,
          "\(answer.status), \(body.count) bytes in, \(sent) out, the largest object has \(kept)")
      }
    }
    #expect(held)
    if test.way == Self.cases.last?.way {
      figure("amplification.worst", (Self.worst.withLock { $0 } * 100).rounded() / 100, "x")
    }
  }

  private static func prepare(_ stage: AttackStage) async throws {
    var large = KubernetesObject(.configMaps, namespace: AttackStage.mine, name: "large")
    large["data"] = ["k": .string(text(largeBytes))]
    try await stage.root.create(large, as: .configMaps)
    var web = KubernetesObject(.deployments, namespace: AttackStage.mine, name: "web")
    web["spec"] = try JSONValue(parsing: "{\(template)}")
    try await stage.root.create(web, as: .deployments)
  }

  private static func largest(_ stage: AttackStage) async throws -> Int {
    var most = 0
    for resource in [Resource.configMaps, .pods, .deployments] {
      for object in try await stage.root.list(resource).items { most = max(most, object.json.encodedCount()) }
    }
    return most
  }
}
