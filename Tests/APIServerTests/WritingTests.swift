import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import TestSupport
import Testing

@Suite struct WritingTests {
  @Test func thePatchesOfKubectlAreApplied() async throws {
    try await withServer { _, client in
      try await client.create(configMap("a", labels: ["x": "1"], ["k": "v", "l": "w"]), as: .configMaps)
      let merged = try await client.patch(.configMaps, namespace: "default", name: "a", ["data": ["k": nil, "m": "n"]])
      #expect(merged["data"] == ["l": "w", "m": "n"])
      let patched = try await client.patch(
        .configMaps, namespace: "default", name: "a",
        [
          ["op": "replace", "path": "/data/l", "value": "z"],
          ["op": "test", "path": "/metadata/labels/x", "value": "1"],
        ],
        type: .json)
      #expect(patched["data"]["l"] == "z")
      let failed = await refusal {
        try await client.patch(
          .configMaps, namespace: "default", name: "a", [["op": "test", "path": "/data/l", "value": "q"]], type: .json)
      }
      #expect(failed?.code == 422)
      let late = await refusal {
        try await client.patch(
          .configMaps, namespace: "default", name: "a", ["metadata": ["resourceVersion": "1"], "data": ["l": "y"]])
      }
      #expect(late?.isConflict == true)
      let apply = await refusal {
        _ = try await client.bytes(
          APIRequest(
            .patch, Resource.configMaps.path(namespace: "default", name: "a"),
            contentType: "application/apply-patch+yaml",
            body: Array("{}".utf8)))
      }
      #expect(apply?.code == 415)
      #expect(apply?.message.contains("client-side apply") == true)
    }
  }

  @Test func theServerDecidesWhatOnlyItMaySet() async throws {
    try await withServer { _, client in
      var object = KubernetesObject(SmallRegistry.widgets, namespace: "default", name: "w")
      object.metadata["uid"] = "mine"
      object.metadata["generation"] = 17
      object.metadata["creationTimestamp"] = nil
      object.metadata["deletionTimestamp"] = "2020-01-01T00:00:00Z"
      object.status["done"] = true
      var made = try await client.create(object, as: SmallRegistry.widgets)
      #expect(made.uid != "mine")
      #expect(made.generation == 1)
      #expect(!made.isBeingDeleted)
      #expect(made.status == [:])
      #expect(made.spec["size"] == 1)
      // The spec counts generations, the status does not and is written apart.
      made.spec["size"] = 2
      made.status["done"] = true
      let updated = try await client.update(made, as: SmallRegistry.widgets)
      #expect(updated.generation == 2)
      #expect(updated.status == [:])
      var withStatus = updated
      withStatus.spec["size"] = 3
      withStatus.status["done"] = true
      let reported = try await client.updateStatus(withStatus, as: SmallRegistry.widgets)
      #expect(reported.generation == 2)
      #expect(reported.spec["size"] == 2)
      #expect(reported.status["done"] == true)
      let invalid = await refusal {
        try await client.patch(SmallRegistry.widgets, namespace: "default", name: "w", ["spec": ["size": -1]])
      }
      #expect(invalid?.code == 422)
      #expect(invalid?.causes.map(\.field) == ["spec.size"])
      #expect(
        invalid?.message == "Widget.test.nagaya.dev \"w\" is invalid: spec.size: Invalid value: must not be negative")
    }
  }

  @Test func aJSONPatchThatCannotBeAppliedSaysWhyInItsCauses() async throws {
    try await withServer { _, client in
      try await client.create(configMap("kept"), as: .configMaps)
      let refused = await refusal {
        try await client.patch(
          .configMaps, namespace: "default", name: "kept",
          [["op": "replace", "path": "/data/none/deep", "value": "x"]], type: .json)
      }
      #expect(refused?.code == 422)
      // kubectl prints these and nothing else.
      #expect(refused?.causes.map(\.field) == ["patch"])
      #expect(refused?.causes.first?.message.contains("operation 0") == true, "\(String(describing: refused))")
      let invalid = APIStatus.invalid(.deployments, "d", [])
      #expect(invalid.json["details"]["kind"] == "Deployment" && invalid.json["details"]["group"] == "apps")
      #expect(APIStatus.notFound(.deployments, "d").json["details"]["kind"] == "deployments")
    }
  }

  @Test func namesAreGeneratedAndTakenNamesRefused() async throws {
    try await withServer { _, client in
      var object = configMap("")
      object.metadata.remove("name")
      object.metadata["generateName"] = "web-"
      let one = try await client.create(object, as: .configMaps)
      let two = try await client.create(object, as: .configMaps)
      #expect(one.name != two.name)
      #expect(one.name.hasPrefix("web-") && one.name.count == 9)
      let taken = await refusal { try await client.create(configMap(one.name), as: .configMaps) }
      #expect(taken?.message == "configmaps \"\(one.name)\" already exists")
      #expect(taken?.code == 409)
      object.metadata.remove("generateName")
      let refused1 = await refusal { try await client.create(object, as: .configMaps) }
      #expect(refused1?.code == 422)
      let refused2 = await refusal { try await client.create(configMap("No_Name"), as: .configMaps) }
      #expect(refused2?.code == 422)
    }
  }

  @Test func aDryRunChangesNothing() async throws {
    try await withServer { server, client in
      let start = server.counters.writes
      let made = try await client.create(configMap("a"), as: .configMaps, dryRun: true)
      #expect(made.name == "a")
      #expect(try await client.list(.configMaps).items.isEmpty)
      let missing = await refusal {
        try await client.create(configMap("a", namespace: "nowhere"), as: .configMaps, dryRun: true)
      }
      #expect(missing?.code == 404)
      #expect(server.counters.writes == start)
    }
  }

  @Test func aScaleIsReadAndWritten() async throws {
    try await withServer { _, client in
      var deployment = KubernetesObject(.deployments, namespace: "default", name: "web")
      deployment.spec = ["replicas": 2, "selector": ["matchLabels": ["app": "web"]]]
      try await client.create(deployment, as: .deployments)
      let path = Resource.deployments.path(namespace: "default", name: "web", subresource: "scale")
      let scale = try await client.json(APIRequest(.get, path))
      #expect(scale["kind"] == "Scale")
      #expect(scale["spec"]["replicas"] == 2)
      #expect(scale["status"]["selector"] == "app=web")
      try await client.patch(
        .deployments, namespace: "default", name: "web", subresource: "scale", ["spec": ["replicas": 5]])
      let scaled = try await client.get(.deployments, namespace: "default", name: "web")
      #expect(scaled.spec["replicas"] == 5)
      #expect(scaled.generation == 2)
    }
  }

  @Test func aQuotaIsReservedWithTheWrite() async throws {
    try await withServer { _, client in
      var quota = KubernetesObject(.resourceQuotas, namespace: "default", name: "q")
      quota.spec["hard"] = ["pods": "3", "requests.cpu": "1", "count/configmaps": "2"]
      try await client.create(quota, as: .resourceQuotas)
      func pod(_ name: String, cpu: String?) -> KubernetesObject {
        var pod = KubernetesObject(.pods, namespace: "default", name: name)
        pod.spec["containers"] = [["name": "c", "image": "i"]]
        if let cpu {
          pod.spec["containers"] = [["name": "c", "image": "i", "resources": ["requests": ["cpu": .string(cpu)]]]]
        }
        return pod
      }
      let silent = await refusal { try await client.create(pod("p", cpu: nil), as: .pods) }
      #expect(silent?.message == "pods \"p\" is forbidden: failed quota: q: must specify requests.cpu for: c")
      // Twenty at once for three places.
      let made = await withTaskGroup(of: Bool.self) { group in
        for index in 0..<20 {
          group.addTask { (try? await client.create(pod("p\(index)", cpu: "100m"), as: .pods)) != nil }
        }
        return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
      }
      #expect(made == 3)
      let exceeded = await refusal { try await client.create(pod("x", cpu: "800m"), as: .pods) }
      #expect(exceeded?.code == 403)
      #expect(
        exceeded?.message
          == "pods \"x\" is forbidden: exceeded quota: q, requested: pods=1,requests.cpu=800m, used: pods=3,requests.cpu=300m, limited: pods=3,requests.cpu=1"
      )
      try await eventually("the quota shows what is used") {
        let status = try await client.get(.resourceQuotas, namespace: "default", name: "q").status
        return status["used"]["pods"] == "3" && status["used"]["requests.cpu"] == "300m"
      }
      let first = try await client.list(.pods).items[0].name
      try await client.delete(.pods, namespace: "default", name: first)
      try await client.create(pod("again", cpu: "100m"), as: .pods)
      try await client.create(configMap("a"), as: .configMaps)
      try await client.create(configMap("b"), as: .configMaps)
      let refused3 = await refusal { try await client.create(configMap("c"), as: .configMaps) }
      #expect(refused3?.code == 403)
    }
  }
}
