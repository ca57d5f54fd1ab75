import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import TestSupport
import Testing

/// Objects that name others' uids as their owners.
@Suite("Attacks by owner references")
struct CollectionAttacks {
  private static func victim(_ stage: AttackStage, finalizers: [String] = []) async throws -> KubernetesObject {
    var object = KubernetesObject(.configMaps, namespace: AttackStage.theirs, name: "victim")
    object.finalizers = finalizers
    return try await stage.root.create(object, as: .configMaps)
  }

  private static func allowFinalizers(_ stage: AttackStage, to user: String) async throws {
    var role = KubernetesObject(.roles, namespace: AttackStage.mine, name: "finalizers")
    role["rules"] = [["apiGroups": ["*"], "resources": ["*/finalizers"], "verbs": ["update"]]]
    try await stage.root.create(role, as: .roles)
    var binding = KubernetesObject(.roleBindings, namespace: AttackStage.mine, name: "finalizers")
    binding["roleRef"] = ["apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "finalizers"]
    binding["subjects"] = [["kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": .string(user)]]
    try await stage.root.create(binding, as: .roleBindings)
  }

  /// References by which an object of one's own namespace could hold the victim.
  static let references: [(what: String, change: @Sendable (inout OwnerReference) -> Void)] = [
    ("the victim as it is", { _ in }),
    ("the uid under another name", { $0.name = "other" }),
    ("the uid under another kind", { $0.kind = "Secret" }),
    (
      "the uid as an object of the cluster",
      {
        $0.apiVersion = "v1"; $0.kind = "Node"
      }
    ),
    (
      "the uid of an unknown kind",
      {
        $0.apiVersion = "example.com/v1"; $0.kind = "Thing"
      }
    ),
  ]

  /// In the victim's own namespace the first one is a true dependent, which may hold it (`trueDependent`).
  static let elsewhere = [false, true].flatMap { same in (same ? 1..<5 : 0..<5).map { ($0, same) } }

  @Test("an object elsewhere does not hold a foreground deletion", arguments: elsewhere)
  func foreground(index: Int, sameNamespace: Bool) async throws {
    let (what, change) = Self.references[index]
    let place = sameNamespace ? "in the owner's namespace" : "in another namespace"
    let held = try await attempt(Attack(.editor, "a finalized dependent \(place): \(what)", on: .otherData)) {
      try await AttackStage.with { stage -> AttackOutcome in
        let running = Task { try await stage.server.run() }
        defer { running.cancel() }
        let victim = try await Self.victim(stage)
        // Who may hold owners by finalizers at home: what is tried is to hold somebody else's.
        try await Self.allowFinalizers(stage, to: "editor")
        var reference = OwnerReference(to: victim, isController: true, blocksOwnerDeletion: true)
        change(&reference)
        var dependent = KubernetesObject(
          .configMaps, namespace: sameNamespace ? AttackStage.theirs : AttackStage.mine, name: "leech")
        dependent.ownerReferences = [reference]
        dependent.finalizers = ["example.com/hold"]
        do {
          let client = sameNamespace ? stage.root : stage.client("editor")
          try await client.create(dependent, as: .configMaps)
        } catch let status as APIStatus {
          return .check(status.code == 403, status.message)
        }
        try await stage.root.delete(
          .configMaps, namespace: AttackStage.theirs, name: "victim", propagation: .foreground)
        let isGone = try await eventually(within: .seconds(20)) {
          try await stage.root.getIfPresent(.configMaps, namespace: AttackStage.theirs, name: "victim") == nil
        }
        return .check(isGone, "the victim is \(isGone ? "gone" : "held")")
      }
    }
    #expect(held)
  }

  @Test("a true dependent holds a foreground deletion until it is gone")
  func trueDependent() async throws {
    try await AttackStage.with { stage in
      let running = Task { try await stage.server.run() }
      defer { running.cancel() }
      let victim = try await Self.victim(stage)
      var dependent = KubernetesObject(.configMaps, namespace: AttackStage.theirs, name: "held")
      dependent.ownerReferences = [OwnerReference(to: victim, isController: true, blocksOwnerDeletion: true)]
      dependent.finalizers = ["example.com/hold"]
      try await stage.root.create(dependent, as: .configMaps)
      try await stage.root.delete(
        .configMaps, namespace: AttackStage.theirs, name: "victim", propagation: .foreground)
      try await eventually("the dependent is asked to go") {
        try await stage.root.get(.configMaps, namespace: AttackStage.theirs, name: "held").isBeingDeleted
      }
      #expect(try await stage.root.getIfPresent(.configMaps, namespace: AttackStage.theirs, name: "victim") != nil)
      try await stage.root.patch(
        .configMaps, namespace: AttackStage.theirs, name: "held", ["metadata": ["finalizers": []]])
      try await eventually("both are gone") {
        try await stage.root.list(.configMaps, namespace: AttackStage.theirs).items
          .allSatisfy { !["held", "victim"].contains($0.name) }
      }
    }
  }

  @Test("nobody holds an owner of the cluster who may not set its finalizers", arguments: ["editor", "admin"])
  func clusterOwner(user: String) async throws {
    let role: Attack.Role = user == "admin" ? .tenantAdmin : .editor
    for way in ["create", "update", "patch"] {
      let held = try await attempt(Attack(role, "blockOwnerDeletion of a Node by \(way)", on: .platformRights)) {
        try await AttackStage.with { stage -> AttackOutcome in
          var outcome = AttackOutcome.through("it was written")
          let node = try await stage.root.create(KubernetesObject(.nodes, name: "n1"), as: .nodes)
          let client = stage.client(user)
          var leech = KubernetesObject(.configMaps, namespace: AttackStage.mine, name: "leech")
          do {
            if way != "create" { leech = try await client.create(leech, as: .configMaps) }
            leech.ownerReferences = [OwnerReference(to: node, isController: false, blocksOwnerDeletion: true)]
            switch way {
            case "create": try await client.create(leech, as: .configMaps)
            case "update": try await client.update(leech, as: .configMaps)
            default:
              try await client.patch(
                .configMaps, namespace: AttackStage.mine, name: "leech",
                ["metadata": ["ownerReferences": leech.metadata["ownerReferences"]]])
            }
          } catch let status as APIStatus {
            outcome = .check(status.code == 403 && status.message.contains("blockOwnerDeletion"), status.message)
          }
          // What does not hold it is everybody's right.
          leech.ownerReferences = [OwnerReference(to: node, isController: false, blocksOwnerDeletion: false)]
          leech.metadata["name"] = "tick"
          leech.metadata.remove("resourceVersion")
          leech.metadata.remove("uid")
          try await client.create(leech, as: .configMaps)
          return outcome
        }
      }
      #expect(held)
    }
  }

  /// Owners in one's own environment, and what one may do to them.
  static let owners: [(what: String, resource: Resource, mayHold: Bool)] = [
    ("a Deployment that others may finalize", .deployments, false), ("a Secret", .secrets, false),
    ("a ConfigMap whose finalizers are one's own", .configMaps, true),
  ]

  @Test(
    "nobody holds an owner of the namespace who may not set its finalizers", arguments: 0..<3,
    ["create", "update", "patch"])
  func namespacedOwner(index: Int, way: String) async throws {
    let (what, resource, mayHold) = Self.owners[index]
    try await AttackStage.with { stage in
      let owner = try await stage.root.create(Self.owner(resource), as: resource)
      if mayHold {
        var role = KubernetesObject(.roles, namespace: AttackStage.mine, name: "hold")
        role["rules"] = [["apiGroups": [""], "resources": ["configmaps/finalizers"], "verbs": ["update"]]]
        try await stage.root.create(role, as: .roles)
        var binding = KubernetesObject(.roleBindings, namespace: AttackStage.mine, name: "hold")
        binding["roleRef"] = ["apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "hold"]
        binding["subjects"] = [["kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "editor"]]
        try await stage.root.create(binding, as: .roleBindings)
      }
      let client = stage.client("editor")
      func write(_ name: String, blocks: Bool) async throws {
        var leech = KubernetesObject(.configMaps, namespace: AttackStage.mine, name: name)
        if way != "create" { leech = try await client.create(leech, as: .configMaps) }
        leech.ownerReferences = [OwnerReference(to: owner, isController: false, blocksOwnerDeletion: blocks)]
        switch way {
        case "create": try await client.create(leech, as: .configMaps)
        case "update": try await client.update(leech, as: .configMaps)
        default:
          try await client.patch(
            .configMaps, namespace: AttackStage.mine, name: name,
            ["metadata": ["ownerReferences": leech.metadata["ownerReferences"]]])
        }
      }
      // What holds nobody is everybody's right, and so is what one may do anyway.
      try await write("tick", blocks: false)
      if mayHold { return try await write("leech", blocks: true) }
      let held = try await attempt(Attack(.editor, "blockOwnerDeletion of \(what) by \(way)", on: .otherData)) {
        do {
          try await write("leech", blocks: true)
          return .through("it was written")
        } catch let status as APIStatus {
          return .check(status.code == 403 && status.message.contains("blockOwnerDeletion"), status.message)
        }
      }
      #expect(held)
    }
  }

  private static func owner(_ resource: Resource) -> KubernetesObject {
    var owner = KubernetesObject(resource, namespace: AttackStage.mine, name: "owner")
    guard resource == .deployments else { return owner }
    owner.spec = [
      "selector": ["matchLabels": ["a": "b"]],
      "template": ["metadata": ["labels": ["a": "b"]], "spec": ["containers": [["name": "c", "image": "i"]]]],
    ]
    return owner
  }

  @Test("nobody gives an object to an owner, by whose end it ends, who may not delete it")
  func ownerOfWhatOneMayNotDelete() async throws {
    try await AttackStage.with { stage in
      var role = KubernetesObject(.roles, namespace: AttackStage.mine, name: "patcher")
      role["rules"] = [["apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "patch"]]]
      try await stage.root.create(role, as: .roles)
      var binding = KubernetesObject(.roleBindings, namespace: AttackStage.mine, name: "patcher")
      binding["roleRef"] = ["apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "patcher"]
      binding["subjects"] = [["kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "patcher"]]
      try await stage.root.create(binding, as: .roleBindings)
      let owner = try await stage.root.create(Self.owner(.secrets), as: .secrets)
      let kept = KubernetesObject(.configMaps, namespace: AttackStage.mine, name: "kept")
      try await stage.root.create(kept, as: .configMaps)
      let client = stage.client("patcher")
      try await client.patch(.configMaps, namespace: AttackStage.mine, name: "kept", ["data": ["a": "b"]])
      let held = try await attempt(Attack(.editor, "an owner for what one may not delete", on: .otherData)) {
        let reference = OwnerReference(to: owner, isController: false, blocksOwnerDeletion: false)
        do {
          try await client.patch(
            .configMaps, namespace: AttackStage.mine, name: "kept",
            ["metadata": ["ownerReferences": [reference.json]]])
          return .through("it was written")
        } catch let status as APIStatus {
          return .check(status.code == 403 && status.message.contains("can't delete"), status.message)
        }
      }
      #expect(held)
    }
  }

  @Test("an owner of another namespace is told of by an event")
  func event() async throws {
    try await AttackStage.with { stage in
      let running = Task { try await stage.server.run() }
      defer { running.cancel() }
      let victim = try await Self.victim(stage)
      var dependent = KubernetesObject(.configMaps, namespace: AttackStage.mine, name: "stray")
      dependent.ownerReferences = [OwnerReference(to: victim, blocksOwnerDeletion: false)]
      dependent.finalizers = ["example.com/hold"]
      try await stage.client("editor").create(dependent, as: .configMaps)
      try await eventually("the event is there") {
        try await stage.root.list(.events, namespace: AttackStage.mine).items.contains {
          $0["reason"].string == "OwnerRefInvalidNamespace" && $0["involvedObject"]["name"].string == "stray"
        }
      }
      // The victim is nobody's concern here.
      #expect(
        try await !stage.root.get(.configMaps, namespace: AttackStage.theirs, name: "victim").isBeingDeleted)
    }
  }
}
