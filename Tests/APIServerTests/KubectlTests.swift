import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Testing

/// The real kubectl's own commands, which write protobuf, against the real server.
@Suite struct KubectlTests {
  /// A command that creates an object, and what it creates.
  struct Creation: Sendable, CustomTestStringConvertible {
    let line: String
    let resource: Resource
    let name: String
    /// A field that must have come through, and its value.
    let path: [String]
    let value: JSONValue

    init(_ line: String, _ resource: Resource, _ name: String, _ path: String, _ value: JSONValue) {
      (self.line, self.resource, self.name, self.value) = (line, resource, name, value)
      self.path = path.split(separator: "/").map(String.init)
    }
    var testDescription: String { line }
    var namespace: String { resource.isNamespaced ? "default" : "" }
  }

  static let creations: [Creation] = [
    Creation("create namespace blue", .namespaces, "blue", "status/phase", "Active"),
    Creation("create configmap c --from-literal=a=1 --from-literal=b=", .configMaps, "c", "data", ["a": "1", "b": ""]),
    Creation("create secret generic s --from-literal=k=v", .secrets, "s", "data", ["k": "dg=="]),
    Creation("create deployment none --image=i --replicas=0 --port=8080", .deployments, "none", "spec/replicas", 0),
    Creation("create deployment three --image=i --replicas=3", .deployments, "three", "spec/replicas", 3),
    Creation("create service clusterip web --tcp=80:8080", .services, "web", "spec/type", "ClusterIP"),
    Creation(
      "create service clusterip headless --clusterip=None", .services, "headless", "spec/clusterIP", "None"),
    Creation("create service nodeport open --tcp=80:http", .services, "open", "spec/type", "NodePort"),
    Creation(
      "create quota q --hard=pods=0,requests.memory=1Gi", .resourceQuotas, "q", "spec/hard",
      ["pods": "0", "requests.memory": "1Gi"]),
    Creation("create serviceaccount robot", .serviceAccounts, "robot", "metadata/name", "robot"),
    Creation(
      "create role reader --verb=get,list --resource=pods,deployments.apps", .roles, "reader", "kind", "Role"),
    Creation(
      "create rolebinding readers --role=reader --user=alice --serviceaccount=default:robot", .roleBindings, "readers",
      "roleRef", ["apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"]),
    Creation(
      "create clusterrole prober --verb=get --non-resource-url=/metrics", .clusterRoles, "prober", "kind",
      "ClusterRole"),
    Creation(
      "create clusterrolebinding probers --clusterrole=prober --group=ops", .clusterRoleBindings, "probers",
      "subjects", [["apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "ops"]]),
    Creation(
      "run lone --image=i --env=A=b --port=80 --restart=Never --labels=x=y", .pods, "lone", "spec/restartPolicy",
      "Never"),
  ]

  /// What a command writes in protobuf is stored as what it would have written in JSON.
  @Test(arguments: creations)
  func creates(_ creation: Creation) async throws {
    try await KubectlHarness.with { harness in
      let json = try await harness.kubectl("\(creation.line) --dry-run=client -o json")
      let object = KubernetesObject(json: try JSONValue(parsing: json))
      var asked = object
      if creation.resource.isNamespaced { asked.metadata["namespace"] = .string(creation.namespace) }
      let wanted = try await harness.client.create(asked, as: creation.resource, dryRun: true)
      try await harness.kubectl(creation.line)
      let stored = try await harness.client.get(
        creation.resource, namespace: creation.namespace, name: creation.name)
      #expect(creation.path.reduce(stored.json) { $0[$1] } == creation.value)
      #expect(Self.comparable(stored.json) == Self.comparable(wanted.json))
    }
  }

  /// Without what is another for every object, and without empty members, which protobuf does not tell from missing.
  private static func comparable(_ json: JSONValue) -> JSONValue {
    var json = json
    for key in ["uid", "resourceVersion", "creationTimestamp"] { json["metadata"].remove(key) }
    if json["kind"] == "ResourceQuota" { json.remove("status") }  // counted in the background
    if json["kind"] == "Service" {
      // Addresses and ports that the server gives out.
      if json["spec"]["clusterIP"] != "None" { json["spec"].remove("clusterIP") }
      if json["spec"]["clusterIPs"] != ["None"] { json["spec"].remove("clusterIPs") }
      json["spec"]["ports"] = .array(
        json["spec"]["ports"].elements.map {
          var port = $0
          port.remove("nodePort")
          return port
        })
    }
    return pruned(json)
  }

  private static func pruned(_ json: JSONValue) -> JSONValue {
    switch json {
    case .object(let members):
      .object(members.mapValues(pruned).filter { $0.value != [:] && $0.value != .array([]) && !$0.value.isNull })
    case .array(let elements): .array(elements.map { pruned($0) })
    default: json
    }
  }

  @Test func changesWhatIsThere() async throws {
    try await KubectlHarness.with { harness in
      let client = harness.client
      func deployment() async throws -> KubernetesObject {
        try await client.get(.deployments, namespace: "default", name: "web")
      }
      try await harness.kubectl("create deployment web --image=one --port=8080")
      try await harness.kubectl("scale deployment web --replicas=4")
      #expect(try await deployment().spec["replicas"] == 4)
      try await harness.kubectl("scale deployment web --current-replicas=4 --replicas=0")
      #expect(try await deployment().spec["replicas"] == 0)
      try await harness.kubectl("label deployment web tier=front")
      try await harness.kubectl("annotate deployment web note=hello")
      #expect(try await deployment().labels["tier"] == "front")
      #expect(try await deployment().annotations["note"] == "hello")
      try await harness.kubectl("set image deployment/web one=two")
      #expect(try await deployment().spec["template"]["spec"]["containers"][0]["image"] == "two")
      try await harness.kubectl("rollout restart deployment web")
      let annotations = try await deployment().spec["template"]["metadata"]["annotations"].strings
      #expect(annotations["kubectl.kubernetes.io/restartedAt"] != nil)
      try await harness.kubectl("expose deployment web --port=80 --target-port=8080")
      let service = try await client.get(.services, namespace: "default", name: "web")
      #expect(service.spec["selector"] == ["app": "web"])
      #expect(service.spec["ports"][0]["targetPort"] == 8080)
    }
  }

  @Test func rollsBackToAnEarlierRevision() async throws {
    try await KubectlHarness.with { harness in
      try await harness.kubectl("create deployment web --image=two")
      let deployment = try await harness.client.get(.deployments, namespace: "default", name: "web")
      // Revisions as the deployment controller leaves them.
      try await harness.kubectl("annotate deployment web deployment.kubernetes.io/revision=2")
      for (revision, image) in [("1", "one"), ("2", "two")] {
        var replicaSet = KubernetesObject(
          .replicaSets, namespace: "default", name: "web-\(revision)",
          labels: ["app": "web", "pod-template-hash": revision])
        replicaSet.metadata["annotations"] = ["deployment.kubernetes.io/revision": .string(revision)]
        replicaSet.metadata["ownerReferences"] = [OwnerReference(to: deployment).json]
        replicaSet["spec"] = deployment.spec
        for key in ["strategy", "revisionHistoryLimit", "progressDeadlineSeconds"] { replicaSet.spec.remove(key) }
        replicaSet.spec["selector"]["matchLabels"]["pod-template-hash"] = .string(revision)
        replicaSet.spec["template"]["metadata"]["labels"]["pod-template-hash"] = .string(revision)
        replicaSet.spec["template"]["spec"]["containers"] = [["name": "two", "image": .string(image)]]
        try await harness.client.create(replicaSet, as: .replicaSets)
      }
      let history = try await harness.kubectl("rollout history deployment web")
      #expect(history.split(separator: "\n").count == 4, "\(history)")
      try await harness.kubectl("rollout undo deployment web --to-revision=1")
      let undone = try await harness.client.get(.deployments, namespace: "default", name: "web")
      #expect(undone.spec["template"]["spec"]["containers"][0]["image"] == "one")
    }
  }

  @Test func deletesWithOptions() async throws {
    try await KubectlHarness.with { harness in
      let client = harness.client
      try await harness.kubectl("create deployment web --image=one")
      let deployment = try await client.get(.deployments, namespace: "default", name: "web")
      var child = configMap("child")
      child.metadata["ownerReferences"] = [OwnerReference(to: deployment).json]
      try await client.create(child, as: .configMaps)
      try await harness.kubectl("delete deployment web --cascade=orphan")
      let orphan = try await client.get(.configMaps, namespace: "default", name: "child")
      #expect(orphan.metadata["ownerReferences"].elements.isEmpty)
    }
  }

  @Test func drainsANode() async throws {
    try await KubectlHarness.with { harness in
      let client = harness.client
      try await client.create(KubernetesObject(.nodes, name: "n1"), as: .nodes)
      try await harness.kubectl("cordon n1")
      #expect(try await client.get(.nodes, name: "n1").spec["unschedulable"] == true)
      try await harness.kubectl("uncordon n1")
      #expect(try await client.get(.nodes, name: "n1").spec["unschedulable"].bool != true)
      try await harness.kubectl(#"run lone --image=i --overrides={"spec":{"nodeName":"n1"}}"#)
      let output = try await harness.kubectl("drain n1 --force --grace-period=0 --timeout=30s")
      #expect(output.contains("pod/lone evicted"), "\(output)")
      #expect(try await client.getIfPresent(.pods, namespace: "default", name: "lone") == nil)
    }
  }

  @Test func actsAsAnother() async throws {
    try await KubectlHarness.with { harness in
      for object in DefaultRoles.objects {
        try await harness.client.create(
          object, as: object.kind == "ClusterRole" ? .clusterRoles : .clusterRoleBindings)
      }
      try await harness.kubectl("create rolebinding ann --clusterrole=view --user=ann")
      try await harness.kubectl("create rolebinding ops --clusterrole=edit --group=ops")
      for (arguments, answer) in [
        ("list pods --as=ann", "yes\n"), ("get pods --as=ann", "yes\n"), ("list pods --as=bob", nil),
        ("delete pods --as=ann", nil), ("delete pods --as=ann --as-group=ops", "yes\n"),
        ("list pods --as=system:serviceaccount:default:robot", nil),
      ] as [(String, String?)] {
        if let answer {
          #expect(try await harness.kubectl("auth can-i \(arguments)") == answer, "\(arguments)")
        } else {
          // The answer "no" is an exit status other than 0.
          await #expect(throws: KubectlHarness.Failure.self) { try await harness.kubectl("auth can-i \(arguments)") }
        }
      }
      let whoami = try await harness.kubectl("auth whoami --as=ann --as-group=ops -o json")
      let info = try JSONValue(parsing: whoami)["status"]["userInfo"]
      #expect(info["username"] == "ann")
      #expect(info["groups"] == ["ops", "system:authenticated"])
      try await harness.kubectl("get pods --as=ann")
      let failure = await #expect(throws: KubectlHarness.Failure.self) {
        try await harness.kubectl("get pods --as=bob")
      }
      #expect(failure?.errors.contains(#"User "bob" cannot list resource "pods""#) == true, "\(failure?.errors ?? "")")
    }
  }

  @Test func asksWhatItMayAndWhoItIs() async throws {
    try await KubectlHarness.with { harness in
      #expect(try await harness.kubectl("auth can-i create deployments.apps -n default") == "yes\n")
      let list = try await harness.kubectl("auth can-i --list -n default")
      #expect(list.contains("*.*"), "\(list)")
      let user = try await harness.kubectl("auth whoami")
      #expect(user.contains("root") && user.contains("system:masters"), "\(user)")
    }
  }
}
