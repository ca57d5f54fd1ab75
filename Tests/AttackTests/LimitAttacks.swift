import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import TestSupport
import Testing

/// What an editor and an admin of a tenant get beyond the quota, the limits and the level of their environment.
@Suite("Attacks on quotas, limit ranges and the restricted level")
struct LimitAttacks {
  struct Try: Sendable, CustomTestStringConvertible {
    let way: String
    /// A pod's spec in YAML.
    let spec: String
    var testDescription: String { way }

    init(_ way: String, _ spec: String) { (self.way, self.spec) = (way, spec) }
  }

  private static func pod(_ spec: String, name: String = "p") throws -> KubernetesObject {
    var pod = KubernetesObject(.pods, namespace: AttackStage.mine, name: name)
    pod.spec = try #require(try YAML.parseAll(spec).first)
    return pod
  }

  private static func outcome(_ body: () async throws -> Void) async throws -> AttackOutcome {
    do {
      try await body()
      return .through("it was stored")
    } catch let status as APIStatus {
      return .check(status.code == 403 || status.code == 422, status.message)
    }
  }

  private static func bound(_ stage: AttackStage, quota: JSONValue = [:], limits: JSONValue = [:]) async throws {
    if !quota.members.isEmpty {
      var object = KubernetesObject(.resourceQuotas, namespace: AttackStage.mine, name: "q")
      object.spec["hard"] = quota
      try await stage.root.create(object, as: .resourceQuotas)
    }
    if !limits.elements.isEmpty {
      var object = KubernetesObject(.limitRanges, namespace: AttackStage.mine, name: "l")
      object.spec["limits"] = limits
      try await stage.root.create(object, as: .limitRanges)
    }
  }

  // MARK: Quota

  static let quotaTries = [
    Try(
      "sidecars beside a container",
      "{initContainers: [{name: s, image: i, restartPolicy: Always, resources: {requests: {cpu: 800m}, limits: {memory: 1Mi}}}], containers: [{name: a, image: i, resources: {requests: {cpu: 800m}, limits: {memory: 1Mi}}}]}"
    ),
    Try(
      "an init container beside sidecars",
      "{initContainers: [{name: s, image: i, restartPolicy: Always, resources: {requests: {cpu: 800m}, limits: {memory: 1Mi}}}, {name: b, image: i, resources: {requests: {cpu: 800m}, limits: {memory: 1Mi}}}], containers: [{name: a, image: i, resources: {requests: {cpu: 1m}, limits: {memory: 1Mi}}}]}"
    ),
    Try(
      "an init container that does not say what it takes",
      "{initContainers: [{name: s, image: i}], containers: [{name: a, image: i, resources: {requests: {cpu: 1m}, limits: {memory: 1Mi}}}]}"
    ),
    Try(
      "negative overhead",
      "{overhead: {cpu: \"-5\"}, containers: [{name: a, image: i, resources: {requests: {cpu: 1500m}, limits: {memory: 1Mi}}}]}"
    ),
    Try(
      "a pod that says less than its containers",
      "{resources: {requests: {cpu: 1m}, limits: {memory: 1Mi}}, containers: [{name: a, image: i, resources: {requests: {cpu: 1500m}, limits: {memory: 1Mi}}}]}"
    ),
    Try(
      "a negative request",
      "{containers: [{name: a, image: i, resources: {requests: {cpu: 1500m}, limits: {memory: 1Mi}}}, {name: b, image: i, resources: {requests: {cpu: \"-1\"}, limits: {memory: 1Mi}}}]}"
    ),
    Try(
      "a limit of zero, which is none",
      "{containers: [{name: a, image: i, resources: {requests: {cpu: 1m}, limits: {memory: 0}}}]}"),
    Try(
      "a request only in the limits", "{containers: [{name: a, image: i, resources: {limits: {cpu: 2, memory: 1Mi}}}]}"),
    Try(
      "the largest number",
      "{containers: [{name: a, image: i, resources: {requests: {cpu: 9223372036854775807}, limits: {memory: 1Mi}}}]}"),
  ]

  @Test("a quota counts everything that a pod takes", arguments: quotaTries)
  func quota(row: Try) async throws {
    try await AttackStage.with { stage in
      try await Self.bound(stage, quota: ["requests.cpu": "1", "limits.memory": "100Mi"])
      let held = try await attempt(Attack(.editor, "quota: \(row.way)", on: .fairShare)) {
        try await Self.outcome { try await stage.client("editor").create(try Self.pod(row.spec), as: .pods) }
      }
      #expect(held)
    }
  }

  @Test(
    "nobody of a tenant changes what bounds it", arguments: ["editor", "admin"],
    [Resource.resourceQuotas, .limitRanges])
  func bounds(user: String, resource: Resource) async throws {
    try await AttackStage.with { stage in
      try await Self.bound(
        stage, quota: ["pods": "1"], limits: [["type": "Container", "max": ["memory": "10Mi"]]])
      let name = resource == .limitRanges ? "l" : "q"
      let client = stage.client(user)
      let role: Attack.Role = user == "editor" ? .editor : .tenantAdmin
      let key = resource == .limitRanges ? "limits" : "hard"
      let empty: JSONValue = resource == .limitRanges ? [] : [:]
      let tries: [(String, () async throws -> Void)] = [
        ("delete", { try await client.delete(resource, namespace: AttackStage.mine, name: name) }),
        (
          "empty",
          {
            try await client.patch(
              resource, namespace: AttackStage.mine, name: name, ["spec": [key: key == "hard" ? .null : empty]])
          }
        ),
        (
          "write the status of",
          {
            try await client.patch(
              resource, namespace: AttackStage.mine, name: name, subresource: "status",
              ["status": ["used": ["pods": "0"]]])
          }
        ),
      ]
      for (way, run) in tries {
        let held = try await attempt(Attack(role, "\(way) \(resource.plural)", on: .fairShare)) {
          do {
            try await run()
            return .through("done")
          } catch let status as APIStatus { return .check([403, 404].contains(status.code), status.message) }
        }
        #expect(held)
      }
    }
  }

  // MARK: Limit ranges

  static let rangeTries = [
    Try("a limit above the most", "{containers: [{name: a, image: i, resources: {limits: {memory: 20Mi}}}]}"),
    Try(
      "an init container above the most",
      "{initContainers: [{name: b, image: i, resources: {limits: {memory: 20Mi}}}], containers: [{name: a, image: i}]}"),
    Try(
      "a limit of zero", "{containers: [{name: a, image: i, resources: {limits: {memory: 0}, requests: {memory: 0}}}]}"),
    Try("a request below the least", "{containers: [{name: a, image: i, resources: {requests: {memory: 1}}}]}"),
    Try(
      "a limit far above the request",
      "{containers: [{name: a, image: i, resources: {requests: {memory: 1Mi}, limits: {memory: 10Mi}}}]}"),
    Try(
      "many containers, each within bounds",
      "{containers: [{name: a, image: i}, {name: b, image: i}, {name: c, image: i}, {name: d, image: i}]}"),
    Try(
      "sidecars, each within bounds",
      "{initContainers: [{name: a, image: i, restartPolicy: Always}, {name: b, image: i, restartPolicy: Always}, {name: c, image: i, restartPolicy: Always}], containers: [{name: d, image: i}]}"
    ),
  ]

  @Test("a limit range holds, and fills in what is left out", arguments: rangeTries)
  func range(row: Try) async throws {
    try await AttackStage.with { stage in
      try await Self.bound(
        stage,
        limits: [
          [
            "type": "Container", "max": ["memory": "10Mi"], "min": ["memory": "1Mi"],
            "maxLimitRequestRatio": ["memory": "4"], "default": ["memory": "10Mi"],
            "defaultRequest": ["memory": "5Mi"],
          ],
          ["type": "Pod", "max": ["memory": "30Mi"]],
        ])
      let editor = stage.client("editor")
      let held = try await attempt(Attack(.editor, "limit range: \(row.way)", on: .nodeMemory)) {
        try await Self.outcome { try await editor.create(try Self.pod(row.spec), as: .pods) }
      }
      #expect(held)
      let silent = try await editor.create(
        try Self.pod("{containers: [{name: a, image: i}]}", name: "silent"), as: .pods)
      #expect(
        silent.spec["containers"][0]["resources"] == ["limits": ["memory": "10Mi"], "requests": ["memory": "5Mi"]])
      #expect(silent.status["qosClass"] == "Burstable")
    }
  }

  @Test("what a limit range fills in counts for the quota, and a claim keeps to it when it grows")
  func rangeAndQuota() async throws {
    try await AttackStage.with { stage in
      try await Self.bound(
        stage, quota: ["limits.memory": "15Mi"],
        limits: [
          ["type": "Container", "default": ["memory": "10Mi"]],
          ["type": "PersistentVolumeClaim", "max": ["storage": "1Gi"]],
        ])
      let editor = stage.client("editor")
      try await editor.create(try Self.pod("{containers: [{name: a, image: i}]}", name: "first"), as: .pods)
      let second = try await attempt(Attack(.editor, "leave limits out to stay below a quota", on: .fairShare)) {
        try await Self.outcome {
          try await editor.create(try Self.pod("{containers: [{name: a, image: i}]}", name: "second"), as: .pods)
        }
      }
      #expect(second)
      var claim = KubernetesObject(.persistentVolumeClaims, namespace: AttackStage.mine, name: "c")
      claim.spec = ["accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "1Gi"]]]
      try await editor.create(claim, as: .persistentVolumeClaims)
      try await stage.root.patch(
        .persistentVolumeClaims, namespace: AttackStage.mine, name: "c", subresource: "status",
        ["status": ["phase": "Bound"]])
      let grown = try await attempt(Attack(.editor, "grow a claim above a limit range", on: .nodeDisk)) {
        try await Self.outcome {
          try await editor.patch(
            .persistentVolumeClaims, namespace: AttackStage.mine, name: "c",
            ["spec": ["resources": ["requests": ["storage": "2Gi"]]]])
        }
      }
      #expect(grown)
    }
  }

  // MARK: Restricted

  /// A container that keeps to the level, with something changed.
  private static func hardened(_ change: String = "", pod: String = "", context: String = "") -> String {
    let own =
      context.isEmpty
      ? "allowPrivilegeEscalation: false, runAsNonRoot: true, capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}"
      : context
    return "{\(pod)containers: [{name: a, image: i, securityContext: {\(own)}\(change)}]}"
  }

  static let restrictedTries = [
    Try("nothing said", "{containers: [{name: a, image: i}]}"),
    Try(
      "escalation not said",
      hardened(context: "runAsNonRoot: true, capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}")),
    Try(
      "escalation wanted",
      hardened(
        context:
          "allowPrivilegeEscalation: true, runAsNonRoot: true, capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}"
      )),
    Try(
      "root by user 0",
      hardened(
        context:
          "runAsUser: 0, allowPrivilegeEscalation: false, runAsNonRoot: true, capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}"
      )),
    Try("root by user 0 of the pod", hardened(pod: "securityContext: {runAsUser: 0}, ")),
    Try(
      "root not excluded",
      hardened(
        context: "allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}")
    ),
    Try(
      "root taken back by the container",
      hardened(
        pod: "securityContext: {runAsNonRoot: true}, ",
        context:
          "allowPrivilegeEscalation: false, runAsNonRoot: false, capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}"
      )),
    Try(
      "capabilities kept",
      hardened(context: "allowPrivilegeEscalation: false, runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}")),
    Try(
      "some capabilities dropped",
      hardened(
        context:
          "allowPrivilegeEscalation: false, runAsNonRoot: true, capabilities: {drop: [CHOWN, NET_RAW]}, seccompProfile: {type: RuntimeDefault}"
      )),
    Try(
      "a capability added",
      hardened(
        context:
          "allowPrivilegeEscalation: false, runAsNonRoot: true, capabilities: {drop: [ALL], add: [CHOWN]}, seccompProfile: {type: RuntimeDefault}"
      )),
    Try(
      "no seccomp profile",
      hardened(context: "allowPrivilegeEscalation: false, runAsNonRoot: true, capabilities: {drop: [ALL]}")),
    Try(
      "seccomp taken back by the container",
      hardened(
        pod: "securityContext: {seccompProfile: {type: RuntimeDefault}}, ",
        context:
          "allowPrivilegeEscalation: false, runAsNonRoot: true, capabilities: {drop: [ALL]}, seccompProfile: {type: Unconfined}"
      )),
    Try("an nfs volume", hardened(pod: "volumes: [{name: v, nfs: {server: s, path: /}}], ")),
    Try("a hostPath volume", hardened(pod: "volumes: [{name: v, hostPath: {path: /}}], ")),
    Try("an init container that says nothing", hardened(pod: "initContainers: [{name: b, image: i}], ")),
    Try("the Windows exemption", "{os: {name: windows}, containers: [{name: a, image: i}]}"),
  ]

  @Test("a restricted environment takes no pod that is less, itself or as a template", arguments: restrictedTries)
  func restricted(row: Try) async throws {
    try await AttackStage.with { stage in
      try await stage.root.patch(
        .namespaces, name: AttackStage.mine,
        ["metadata": ["labels": ["pod-security.kubernetes.io/enforce": "restricted"]]])
      let editor = stage.client("editor")
      let good = Self.hardened()
      try await editor.create(try Self.pod(good, name: "good"), as: .pods)
      for resource in [Resource.pods, .deployments, .replicaSets] {
        let held = try await attempt(Attack(.editor, "restricted: \(row.way) (\(resource.plural))", on: .nodeProcesses))
        {
          try await Self.outcome {
            let pod = try Self.pod(row.spec)
            var object = KubernetesObject(resource, namespace: AttackStage.mine, name: "w")
            object.spec =
              resource == .pods
              ? pod.spec
              : [
                "selector": ["matchLabels": ["a": "b"]],
                "template": ["metadata": ["labels": ["a": "b"]], "spec": pod.spec],
              ]
            try await editor.create(object, as: resource)
          }
        }
        #expect(held)
      }
    }
  }

  @Test("nobody of a tenant lowers the level", arguments: ["editor", "admin"])
  func lowering(user: String) async throws {
    try await AttackStage.with { stage in
      let label = "pod-security.kubernetes.io/enforce"
      try await stage.root.patch(
        .namespaces, name: AttackStage.mine, ["metadata": ["labels": [label: "restricted"]]])
      // Even with the right to write the namespace itself.
      var role = KubernetesObject(.clusterRoles, name: "relabel")
      role["rules"] = [["apiGroups": [""], "resources": ["namespaces"], "verbs": ["update", "patch"]]]
      try await stage.root.create(role, as: .clusterRoles)
      var binding = KubernetesObject(.clusterRoleBindings, name: "relabel")
      binding["roleRef"] = ["apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "relabel"]
      binding["subjects"] = [["kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": .string(user)]]
      try await stage.root.create(binding, as: .clusterRoleBindings)
      for level in [JSONValue.null, "privileged", "baseline"] {
        let role: Attack.Role = user == "editor" ? .editor : .tenantAdmin
        let held = try await attempt(Attack(role, "lower the level to \(level.string ?? "none")", on: .platformRights))
        {
          try await Self.outcome {
            try await stage.client(user).patch(
              .namespaces, name: AttackStage.mine, ["metadata": ["labels": [label: level]]])
          }
        }
        #expect(held)
      }
    }
  }
}
