import APIServer
import Edge
import JSONDocument
import KubernetesAPI
import KubernetesClient
import TestSupport
import Testing

@testable import nagaya

/// A node agent or an edge that was taken over, and what its identity opens then.
@Suite("Attacks with the identities of the platform's parts") struct NodeAttacks {
  /// Two nodes with a pod each; each pod names a secret and an account of its own.
  private static func stage(_ body: @Sendable (AttackStage) async throws -> Void) async throws {
    try await AttackStage.with { stage in
      try await stage.root.create(KubernetesObject(.namespaces, name: "kube-node-lease"), as: .namespaces)
      for (node, namespace) in [("n1", AttackStage.mine), ("n2", AttackStage.theirs)] {
        try await stage.root.create(KubernetesObject(.nodes, name: node), as: .nodes)
        for name in ["named", "other"] {
          try await stage.root.create(KubernetesObject(.secrets, namespace: namespace, name: name), as: .secrets)
          try await stage.root.create(KubernetesObject(.configMaps, namespace: namespace, name: name), as: .configMaps)
        }
        for name in ["default", "king"] {
          try await stage.root.create(
            KubernetesObject(.serviceAccounts, namespace: namespace, name: name), as: .serviceAccounts)
        }
        var pod = KubernetesObject(.pods, namespace: namespace, name: "worker")
        pod.spec = [
          "nodeName": .string(node), "serviceAccountName": "default", "automountServiceAccountToken": true,
          "containers": [
            [
              "name": "c", "image": "i",
              "envFrom": [["secretRef": ["name": "named"]], ["configMapRef": ["name": "named"]]],
            ]
          ],
        ]
        try await stage.root.create(pod, as: .pods)
        // One that wants no token, one that has ended, and an account that only the first is.
        try await stage.root.create(
          KubernetesObject(.serviceAccounts, namespace: namespace, name: "quiet"), as: .serviceAccounts)
        for (name, account) in [("quiet", "quiet"), ("ended", "default"), ("silent", "default")] {
          pod.metadata["name"] = .string(name)
          pod.spec["serviceAccountName"] = .string(account)
          pod.spec["automountServiceAccountToken"] = name == "ended" ? true : false
          try await stage.root.create(pod, as: .pods)
        }
        try await stage.root.patch(
          .pods, namespace: namespace, name: "ended", subresource: "status", ["status": ["phase": "Succeeded"]])
      }
      try await body(stage)
    }
  }

  private static func token(
    _ client: KubernetesClient, _ namespace: String, _ account: String, pod: String?, audience: String? = nil,
    seconds: Int = 3600
  ) async throws {
    var body = KubernetesObject(.serviceAccounts, namespace: namespace, name: account).json
    body = ["apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": [:]]
    body["spec"]["expirationSeconds"] = JSONValue(seconds)
    if let audience { body["spec"]["audiences"] = [.string(audience)] }
    if let pod { body["spec"]["boundObjectRef"] = ["kind": "Pod", "apiVersion": "v1", "name": .string(pod)] }
    let request = APIRequest(
      .post, "/api/v1/namespaces/\(namespace)/serviceaccounts/\(account)/token", contentType: "application/json",
      body: body.encoded())
    let response = try await client.transport.send(request)
    guard response.status != 201 else { return }
    throw APIStatus(response.status == 403 ? .forbidden : .badRequest, "the token was refused")
  }

  struct Try: Sendable, CustomStringConvertible {
    let description: String
    let target: Attack.Target
    let run: @Sendable (KubernetesClient) async throws -> Void

    init(_ way: String, _ target: Attack.Target, _ run: @escaping @Sendable (KubernetesClient) async throws -> Void) {
      (description, self.target, self.run) = (way, target, run)
    }
  }

  static let byNode: [Try] = [
    .init("reads a secret that no pod names", .otherSecrets) {
      _ = try await $0.get(.secrets, namespace: AttackStage.mine, name: "other")
    },
    .init("reads a secret of another node's pod", .otherSecrets) {
      _ = try await $0.get(.secrets, namespace: AttackStage.theirs, name: "named")
    },
    .init("lists secrets", .otherSecrets) { _ = try await $0.list(.secrets, namespace: AttackStage.mine) },
    .init("reads a config map that no pod names", .otherData) {
      _ = try await $0.get(.configMaps, namespace: AttackStage.mine, name: "other")
    },
    .init("lists pods of all nodes", .otherData) { _ = try await $0.list(.pods) },
    .init("reads another node's pod", .otherData) {
      _ = try await $0.get(.pods, namespace: AttackStage.theirs, name: "worker")
    },
    .init("deletes another node's pod", .otherData) {
      try await $0.delete(.pods, namespace: AttackStage.theirs, name: "worker")
    },
    .init("says how another node's pod is", .otherData) {
      try await $0.patch(
        .pods, namespace: AttackStage.theirs, name: "worker", subresource: "status", ["status": ["phase": "Failed"]])
    },
    .init("writes other annotations of its pod than what hooks did", .otherData) {
      try await $0.patch(
        .pods, namespace: AttackStage.mine, name: "worker", subresource: "status",
        ["metadata": ["annotations": ["other.example/owner": "me"]], "status": ["phase": "Running"]])
    },
    .init("makes a pod", .platformRights) {
      var pod = KubernetesObject(.pods, namespace: AttackStage.theirs, name: "mine")
      pod.spec = ["nodeName": "n1", "containers": [["name": "c", "image": "i"]]]
      try await $0.create(pod, as: .pods)
    },
    .init("says how another node is", .platformRights) {
      try await $0.patch(.nodes, name: "n2", subresource: "status", ["status": ["conditions": []]])
    },
    .init("makes another node", .platformRights) {
      try await $0.create(KubernetesObject(.nodes, name: "n3"), as: .nodes)
    },
    .init("takes off its own taints", .platformRights) {
      try await $0.patch(.nodes, name: "n1", ["spec": ["taints": [["key": "k", "effect": "NoSchedule"]]]])
    },
    .init("labels itself for guarded workloads", .platformRights) {
      try await $0.patch(
        .nodes, name: "n1", ["metadata": ["labels": ["node-restriction.kubernetes.io/guarded": "yes"]]])
    },
    .init("holds another node's lease", .platformRights) {
      try await $0.create(KubernetesObject(.leases, namespace: "kube-node-lease", name: "n2"), as: .leases)
    },
    .init("makes roles", .platformRights) {
      try await $0.create(KubernetesObject(.clusterRoles, name: "mine"), as: .clusterRoles)
    },
    .init("gets a token of an account of no pod", .platformRights) {
      try await token($0, AttackStage.mine, "king", pod: "worker")
    },
    .init("gets a token that no pod bounds", .platformRights) {
      try await token($0, AttackStage.mine, "default", pod: nil)
    },
    .init("gets a token of another node's account", .platformRights) {
      try await token($0, AttackStage.theirs, "default", pod: "worker")
    },
    .init("gets a token for an audience that the pod does not ask for", .platformRights) {
      try await token($0, AttackStage.mine, "default", pod: "worker", audience: "https://vault.example")
    },
    .init("gets a token that lives longer than the pod asks for", .platformRights) {
      try await token($0, AttackStage.mine, "default", pod: "worker", seconds: 86_400)
    },
    .init("gets a token for a pod that wants none", .platformRights) {
      try await token($0, AttackStage.mine, "default", pod: "silent")
    },
    .init("gets a token of an account whose only pod wants none", .platformRights) {
      try await token($0, AttackStage.mine, "quiet", pod: "quiet")
    },
    .init("forges another node's event", .otherData) {
      var event = KubernetesObject(.events, namespace: AttackStage.theirs, name: "e")
      event["involvedObject"] = ["kind": "Pod", "namespace": .string(AttackStage.theirs), "name": "worker"]
      event["source"] = ["component": "kubelet", "host": "n2"]
      try await $0.create(event, as: .events)
    },
  ]

  static let byEdge: [Try] = [
    .init("reads secrets", .otherSecrets) { _ = try await $0.list(.secrets) },
    .init("reads config maps", .otherData) { _ = try await $0.list(.configMaps) },
    .init("reads accounts", .otherData) { _ = try await $0.list(.serviceAccounts) },
    .init("deletes pods", .otherData) {
      try await $0.delete(.pods, namespace: AttackStage.theirs, name: "worker")
    },
    .init("lists pods that are no app's", .otherData) { _ = try await $0.list(.pods) },
    .init("lists pods by another label", .otherData) {
      _ = try await $0.list(.pods, labels: LabelSelector([.doesNotExist("app.nagaya.dev/name")]))
    },
    .init("lists pods by a value that looks like the label", .otherData) {
      _ = try await $0.list(
        .pods, labels: LabelSelector([.isNotIn("x", ["a", "app.nagaya.dev/name", "b"])]))
    },
    .init("reads one pod", .otherData) {
      _ = try await $0.get(.pods, namespace: AttackStage.theirs, name: "worker")
    },
    .init("lists namespaces that are no tenant's", .otherData) { _ = try await $0.list(.namespaces) },
    .init("reads one namespace", .otherData) { _ = try await $0.get(.namespaces, name: AttackStage.theirs) },
    .init("lists slices of no service", .otherData) { _ = try await $0.list(.endpointSlices) },
    .init("writes applications", .otherData) {
      try await $0.create(KubernetesObject(.applications, namespace: AttackStage.theirs, name: "a"), as: .applications)
    },
    .init("writes endpoints", .otherTraffic) {
      try await $0.create(
        KubernetesObject(.endpointSlices, namespace: AttackStage.theirs, name: "s"), as: .endpointSlices)
    },
    .init("makes bindings", .platformRights) {
      try await $0.create(KubernetesObject(.clusterRoleBindings, name: "mine"), as: .clusterRoleBindings)
    },
  ]

  @Test("a node agent reaches its own pods' things alone", arguments: byNode) func node(row: Try) async throws {
    try await Self.stage { stage in
      let node = stage.server.client(as: PartIdentity.node("n1").user)
      // Not a wall against everybody: what the agent needs, it gets.
      _ = try await node.get(.secrets, namespace: AttackStage.mine, name: "named")
      _ = try await node.get(.configMaps, namespace: AttackStage.mine, name: "named")
      try await Self.token(node, AttackStage.mine, "default", pod: "worker")
      let held = try await Self.isHeld(row, "a node agent", node)
      #expect(held)
    }
  }

  @Test("the edge reads where apps are and nothing else", arguments: byEdge) func edge(row: Try) async throws {
    try await Self.stage { stage in
      let edge = stage.server.client(as: PartIdentity.edge.user)
      _ = try await edge.list(.applications)
      for (resource, label) in EdgeAccess.labels {
        _ = try await edge.list(resource, labels: LabelSelector([.exists(label)]))
      }
      let held = try await Self.isHeld(row, "the edge", edge)
      #expect(held)
    }
  }

  @Test func `no pod that has ended gets a token`() async throws {
    try await Self.stage { stage in
      let row = Try("gets a token for a pod that has ended", .platformRights) {
        try await Self.token($0, AttackStage.mine, "default", pod: "ended")
      }
      let held = try await attempt(Attack(.component, "a node agent \(row)", on: row.target)) {
        do {
          try await row.run(stage.server.client(as: PartIdentity.node("n1").user))
          return .through("a token")
        } catch let status as APIStatus { return .held(status.message) }
      }
      #expect(held)
    }
  }

  @Test func `a member of system:nodes that is no node may nothing`() async throws {
    try await Self.stage { stage in
      let user = UserInfo(name: "mallory", groups: [UserInfo.nodesGroup, "system:authenticated"])
      let row = Try("lists pods as a member of the nodes' group", .otherData) { _ = try await $0.list(.pods) }
      let held = try await Self.isHeld(row, "a client", stage.server.client(as: user))
      #expect(held)
    }
  }

  private static func isHeld(_ row: Try, _ who: String, _ client: KubernetesClient) async throws -> Bool {
    try await attempt(Attack(.component, "\(who) \(row)", on: row.target)) {
      do {
        try await row.run(client)
        return .through("done")
      } catch let status as APIStatus {
        return .check(status.code == 403, status.message)
      }
    }
  }
}
