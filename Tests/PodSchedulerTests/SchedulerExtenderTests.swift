import APIServer
import CertificateAuthority
import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import LinuxSystem
import Logging
import ServiceLifecycle
import TestSupport
import Testing

@testable import PodScheduler

/// Somebody else's scheduler, answered over a real API server: requests as kube-scheduler 1.36 and kube-apiserver send them.
@Suite(.timeLimit(.minutes(15)))
struct SchedulerExtenderTests {
  private struct World: Sendable {
    let client: KubernetesClient
    let extender: SchedulerExtender

    func ask(_ path: String, _ body: JSONValue, as user: String = "system:kube-scheduler") async throws -> JSONValue {
      let answer = await response(path, body.encoded(), as: user)
      #expect(answer.status == 200)
      guard case .bytes(let bytes) = answer.body else { return .null }
      return try JSONValue(parsing: bytes)
    }

    func response(_ path: String, _ body: [UInt8], as user: String = "system:kube-scheduler") async -> APIResponse {
      await extender.respond(to: APIRequest(.post, path, body: body), from: UserInfo(name: user))
    }

    func pod(_ name: String, claims: [String] = [], spec: JSONValue = [:]) -> JSONValue {
      var pod: JSONValue = ["metadata": ["name": .string(name), "namespace": "default"], "spec": spec]
      if !claims.isEmpty {
        pod["spec"]["volumes"] = .array(
          claims.map { ["name": .string($0), "persistentVolumeClaim": ["claimName": .string($0)]] })
      }
      return pod
    }

    /// Waits until the extender has the claim as it is.
    func know(_ claim: String) async throws {
      let version = try await client.get(.persistentVolumeClaims, namespace: "default", name: claim).resourceVersion
      try await eventually("the extender knows \(claim)") {
        extender.informers.claims.cache.resourceVersion(of: ObjectKey(namespace: "default", name: claim)) == version
      }
    }

    func add(_ claim: String, _ size: String) async throws {
      try await SchedulerFixture.addClaim(claim, size, to: client)
      try await know(claim)
    }

    func filter(_ pod: JSONValue, _ nodes: [String]) async throws -> JSONValue {
      try await ask(
        SchedulerExtender.Path.filter, ["Pod": pod, "Nodes": .null, "NodeNames": .array(nodes.map { .string($0) })])
    }

    /// Scores by node.
    func prioritize(_ pod: JSONValue, _ nodes: [String]) async throws -> [String: Int] {
      let answer = try await ask(
        SchedulerExtender.Path.prioritize, ["Pod": pod, "NodeNames": .array(nodes.map { .string($0) })])
      return Dictionary(
        answer.elements.map { ($0["Host"].string ?? "", $0["Score"].int ?? -1) }, uniquingKeysWith: { $1 })
    }
  }

  /// Runs with three nodes, of which b has the most room, and with the extender's own rights only.
  private func run(_ body: @escaping @Sendable (World) async throws -> Void) async throws {
    var logger = Logger(label: "test")
    logger.logLevel = .error
    let quiet = logger
    try await APIServer.withInMemory(registry: .standard, logger: quiet) { server in
      let client = server.client()
      let role = SchedulerAccess.extender
      try await client.create(role.object, as: .clusterRoles)
      var binding = KubernetesObject(.clusterRoleBindings, name: role.name)
      binding["roleRef"] = ["apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": .string(role.name)]
      binding["subjects"] = [["apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "extender"]]
      try await client.create(binding, as: .clusterRoleBindings)
      for node in ["a", "b", "c"] { try await SchedulerFixture.addNode(node, to: client) }
      try await SchedulerFixture.addStorage(free: ["a": "100Gi", "b": "200Gi", "c": "50Gi"], to: client)
      let own = KubernetesClient(
        InProcessTransport(server, as: UserInfo(name: "extender", groups: ["system:authenticated"])), userAgent: "test")
      let extender = SchedulerExtender(
        own, ranking: MostFreeStorageRanking(), callers: ["system:kube-scheduler"], expectation: .seconds(600),
        logger: quiet)
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await extender.run() }
        try await extender.waitUntilSynced()
        try await body(World(client: client, extender: extender))
        group.cancelAll()
      }
    }
  }

  @Test func `nodes without room for all new volumes together are left out`() async throws {
    try await run { world in
      try await world.add("one", "80Gi")
      try await world.add("two", "80Gi")
      // Each alone fits on a; kube-scheduler asks about them one by one.
      let answer = try await world.filter(world.pod("p", claims: ["one", "two"]), ["a", "b", "c", "new"])
      #expect(answer["NodeNames"] == ["b"] && answer["Error"].isNull)
      #expect(
        answer["FailedAndUnresolvableNodes"].strings == [
          "a": "node(s) did not have enough free storage (asked 160Gi of class fast)",
          "c": "node(s) did not have enough free storage (asked 80Gi of class fast)",
          "new": "node(s) were not ready",
        ])
      // A pod without new volumes is nobody's affair here.
      #expect(try await world.filter(world.pod("q"), ["a", "new"]) == ["NodeNames": ["a", "new"]])
      #expect(try await world.prioritize(world.pod("q"), ["a", "b"]) == ["a": 0, "b": 0])
    }
  }

  @Test func `one node has the highest score, and is expected to be chosen`() async throws {
    try await run { world in
      try await world.add("one", "80Gi")
      try await world.add("two", "80Gi")
      try await world.add("three", "80Gi")
      #expect(try await world.prioritize(world.pod("p", claims: ["one"]), ["a", "b"]) == ["a": 4, "b": 10])
      // The scheduler has not said yet where it went: b is expected.
      let second = try await world.filter(world.pod("q", claims: ["two", "three"]), ["a", "b"])
      #expect(second["NodeNames"] == [] && second["FailedAndUnresolvableNodes"].strings.count == 2)
      // Asked again for the same pod, its own promise does not stand in its way.
      #expect(try await world.filter(world.pod("p", claims: ["one"]), ["b"])["NodeNames"] == ["b"])
      // It went elsewhere.
      try await world.client.patch(
        .persistentVolumeClaims, namespace: "default", name: "one",
        ["metadata": ["annotations": [ClaimAnnotations.selectedNode: "a"]]])
      try await world.know("one")
      #expect(try await world.filter(world.pod("q", claims: ["two", "three"]), ["a", "b"])["NodeNames"] == ["b"])
      #expect(try await world.prioritize(world.pod("p", claims: ["one"]), ["a", "b"]) == ["a": 10, "b": 0])
    }
  }

  @Test func `what is expected ends by itself`() {
    let reservations = VolumeReservations()
    func claim(_ name: String) -> KubernetesObject {
      var claim = KubernetesObject(.persistentVolumeClaims, namespace: "n", name: name)
      claim.metadata["uid"] = .string(name)
      claim.spec = ["storageClassName": "fast", "resources": ["requests": ["storage": "1Gi"]]]
      return claim
    }
    func promised() -> Int64 {
      reservations.promised(except: []).bytes(ofPool: "fast", storageClass: "fast", on: "a")
    }
    reservations.expect([claim("x")], on: "a", for: .seconds(60))
    #expect(promised() == 1 << 30)
    var bound = claim("x")
    bound.spec["volumeName"] = "made-by-hand"
    #expect(reservations.observe(bound).isReleased && promised() == 0)
    reservations.expect([claim("y")], on: "a", for: .milliseconds(-1))
    #expect(promised() == 0)
    // What anybody says is heard once for each claim.
    reservations.expect([claim("w")], on: "a", for: .milliseconds(-1), once: true)
    reservations.expect([claim("w")], on: "a", for: .seconds(60), once: true)
    #expect(promised() == 0)
    // What the scheduler said is not overruled.
    var chosen = claim("z")
    chosen.annotations[ClaimAnnotations.selectedNode] = "a"
    _ = reservations.observe(chosen)
    reservations.expect([claim("z")], on: "b", for: .seconds(60))
    #expect(promised() == 1 << 30)
  }

  @Test func `a claim that is not known yet has the scheduler try again`() async throws {
    try await run { world in
      let answer = try await world.filter(world.pod("p", claims: ["nowhere"]), ["a"])
      #expect(answer["Error"].string == "nagaya: persistentvolumeclaim \"nowhere\" not found")
      #expect(answer["NodeNames"].isNull)
    }
  }

  private static func review(_ pod: JSONValue, dryRun: Bool = false, operation: String = "CREATE") -> JSONValue {
    [
      "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
      "request": [
        "uid": "705ab4f5", "operation": .string(operation), "namespace": "default", "dryRun": .bool(dryRun),
        "resource": ["group": "", "version": "v1", "resource": "pods"], "object": pod,
      ],
    ]
  }

  /// The pod as the API server would store it.
  private static func applied(_ answer: JSONValue, to pod: JSONValue) throws -> JSONValue {
    #expect(answer["response"]["uid"] == "705ab4f5" && answer["response"]["allowed"] == true)
    guard let text = answer["response"]["patch"].string else { return pod }
    #expect(answer["response"]["patchType"] == "JSONPatch")
    let patch = try JSONValue(parsing: Array(try #require(Data(base64Encoded: text))))
    return try JSONPatch.apply(patch, to: pod)
  }

  private static func preferred(_ pod: JSONValue) -> [String] {
    pod["spec"]["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"].elements.map { term in
      let first = term["preference"]["matchFields"][0]
      return first["values"][0].string.map { "\(term["weight"].int ?? 0) \($0)" }
        ?? "\(term["weight"].int ?? 0) \(term["preference"]["matchExpressions"][0]["key"].string ?? "")"
    }
  }

  @Test func `the webhook has a new pod prefer the nodes where its volumes stand best`() async throws {
    try await run { world in
      let path = SchedulerExtender.Path.webhook
      try await world.add("one", "60Gi")
      let plain = world.pod("p", claims: ["one"])
      let answer = try await world.ask(path, Self.review(plain, dryRun: true), as: "system:anonymous")
      #expect(Self.preferred(try Self.applied(answer, to: plain)) == ["100 b", "50 a"])
      // Its own wishes stay, and what it demands holds.
      let wishing = world.pod(
        "q", claims: ["one"],
        spec: [
          "affinity": [
            "podAntiAffinity": ["kept": true],
            "nodeAffinity": [
              "requiredDuringSchedulingIgnoredDuringExecution": [
                "nodeSelectorTerms": [
                  ["matchExpressions": [["key": "kubernetes.io/hostname", "operator": "In", "values": ["a", "c"]]]]
                ]
              ],
              "preferredDuringSchedulingIgnoredDuringExecution": [
                ["weight": 7, "preference": ["matchExpressions": [["key": "disk", "operator": "Exists"]]]]
              ],
            ],
          ]
        ])
      let changed = try Self.applied(try await world.ask(path, Self.review(wishing)), to: wishing)
      #expect(Self.preferred(changed) == ["7 disk", "100 a"])
      #expect(changed["spec"]["affinity"]["podAntiAffinity"]["kept"] == true)
      // A volume that is made with the pod.
      let scratch = world.pod(
        "r",
        spec: [
          "volumes": [
            [
              "name": "scratch",
              "ephemeral": [
                "volumeClaimTemplate": [
                  "spec": [
                    "storageClassName": "fast", "accessModes": ["ReadWriteOnce"],
                    "resources": ["requests": ["storage": "150Gi"]],
                  ]
                ]
              ],
            ]
          ]
        ])
      let made = try Self.applied(try await world.ask(path, Self.review(scratch)), to: scratch)
      #expect(Self.preferred(made) == ["100 b"])
      // Nothing to say.
      for (pod, operation) in [
        (world.pod("s"), "CREATE"), (world.pod("t", claims: ["nowhere"]), "CREATE"), (plain, "UPDATE"),
        (world.pod("u", claims: ["one"], spec: ["nodeName": "a"]), "CREATE"),
      ] {
        let answer = try await world.ask(path, Self.review(pod, operation: operation))
        #expect(answer["response"] == ["uid": "705ab4f5", "allowed": true])
      }
    }
  }

  @Test func `only schedulers are answered as such, and what is no request is refused`() async throws {
    try await run { world in
      let question: JSONValue = ["Pod": world.pod("p"), "NodeNames": ["a"]]
      let body = question.encoded()
      for path in [SchedulerExtender.Path.filter, SchedulerExtender.Path.prioritize] {
        #expect(await world.response(path, body, as: "system:anonymous").status == 403)
        for (bad, word) in [
          ("{", "not JSON"), ("[]", "Pod"),
          (#"{"Pod":{"metadata":{"name":"p"}},"Nodes":{"items":[]}}"#, "nodeCacheCapable"),
          (#"{"Pod":{"metadata":{"name":"p"}},"NodeNames":[1]}"#, "NodeNames"),
        ] {
          let answer = await world.response(path, Array(bad.utf8))
          guard case .bytes(let bytes) = answer.body else { continue }
          #expect(answer.status == 400 && String(decoding: bytes, as: UTF8.self).contains(word), "\(bad)")
        }
      }
      #expect(await world.response(SchedulerExtender.Path.webhook, body, as: "system:anonymous").status == 400)
      #expect(await world.response("/else", body).status == 404)
    }
  }

  @Test func `over https a scheduler is known by its certificate`() async throws {
    try await run { world in
      try await world.add("one", "150Gi")
      let directory = "/tmp/nagaya-extender-\(UUID().uuidString)"
      defer { try? FileManager.default.removeItem(atPath: directory) }
      let authority = try CertificateAuthority.loadOrCreate(directory: "\(directory)/pki")
      var logger = Logger(label: "test")
      logger.logLevel = .error
      let front = try HTTPSFront(
        port: 0,
        certificate: try authority.issueServer(commonName: "extender", dnsNames: [], ipAddresses: ["127.0.0.1"]),
        authenticator: try Authenticator(trusting: authority.trustPEM), handler: world.extender,
        publicPaths: [SchedulerExtender.Path.webhook], logger: logger)
      let client = try authority.issueClient(commonName: "system:kube-scheduler")
      try Data(client.certificatePEM.utf8).write(to: URL(fileURLWithPath: "\(directory)/tls.crt"))
      try Data(client.privateKeyPEM.utf8).write(to: URL(fileURLWithPath: "\(directory)/tls.key"))
      let group = ServiceGroup(services: [front], logger: logger)
      try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask { try await group.run() }
        let url = "https://127.0.0.1:\(try await front.port)"
        func curl(_ path: String, _ body: JSONValue, _ more: [String] = []) async throws -> String {
          try await Command.run(
            "/usr/bin/curl",
            ["-s", "--cacert", "\(directory)/pki/ca.crt", "-w", "%{http_code}"] + more
              + ["-H", "Content-Type: application/json"]
              + ["-d", String(decoding: body.encoded(), as: UTF8.self), url + path]
          ).standardOutput
        }
        let pod = world.pod("p", claims: ["one"])
        let question: JSONValue = ["Pod": pod, "Nodes": .null, "NodeNames": ["a", "b"]]
        let certificate = ["--cert", "\(directory)/tls.crt", "--key", "\(directory)/tls.key"]
        let filtered = try await curl(SchedulerExtender.Path.filter, question, certificate)
        #expect(filtered.hasSuffix("200") && filtered.contains(#""NodeNames":["b"]"#), "\(filtered)")
        #expect(try await curl(SchedulerExtender.Path.filter, question).hasSuffix("401"))
        let reviewed = try await curl(SchedulerExtender.Path.webhook, Self.review(pod))
        #expect(reviewed.hasSuffix("200") && reviewed.contains("JSONPatch"), "\(reviewed)")
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
      }
    }
  }
}
