import Applications
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Testing

@Suite("What an application becomes")
struct DesiredObjectsTests {
  private func desired(_ change: (inout JSONValue) -> Void = { _ in }) -> DesiredObjects {
    var object = makeApplication("web", change)
    object.metadata["uid"] = "u1"
    return DesiredObjects(for: Application(object))
  }
  private func container(_ objects: DesiredObjects) -> JSONValue {
    objects.deployment.spec["template"]["spec"]["containers"][0]
  }

  @Test("the smallest one: a deployment and a service that belong to it, with defaults")
  func smallest() {
    let objects = desired()
    #expect(objects.claims.isEmpty)
    for object in [objects.deployment, objects.service] {
      #expect(object.key.description == "demo-dev/web")
      #expect(object.labels == ["app.nagaya.dev/name": "web"])
      #expect(object.controller?.uid == "u1")
    }
    #expect(objects.service.spec["ports"][0]["port"].int == 80)
    #expect(objects.service.spec["ports"][0]["targetPort"].string == "http")
    #expect(objects.deployment.spec["replicas"].int == 1)
    #expect(objects.deployment.spec["strategy"]["type"].string == "RollingUpdate")
    #expect(objects.service.spec["type"].string == "ClusterIP")
    #expect(objects.service.spec.members["externalName"] == .null)
    let container = container(objects)
    // Clients in Go leave empty lists out; one here would make another template of theirs.
    let pod = objects.deployment.spec["template"]["spec"]
    #expect(pod["volumes"].isNull && container["volumeMounts"].isNull)
    #expect(container["readinessProbe"]["tcpSocket"]["port"].int == 8080)
    #expect(container["readinessProbe"]["periodSeconds"].int == 1)
    #expect(container["env"][0] == ["name": "NAGAYA_APP", "value": "web", "valueFrom": nil])
    #expect(container["env"][1]["value"].string == "demo-dev")
  }

  @Test("an http path becomes an http probe")
  func probe() {
    let probe = container(
      desired {
        $0["readiness"]["path"] = "/healthz"; $0["port"] = 9000
      })["readinessProbe"]
    #expect(probe["httpGet"] == ["path": "/healthz", "port": 9000])
    #expect(probe["tcpSocket"].isNull)
  }

  @Test("image volumes become volumes of the pod to read only, and take nobody's name")
  func imageVolumes() {
    let objects = desired {
      $0["volumes"] = [["name": "image-1", "mountPath": "/data", "size": "1Gi"]]
      $0["imageVolumes"] = [
        ["mountPath": "/models", "image": "team.local/llama:3", "subPath": "weights", "pullPolicy": "Never"],
        ["mountPath": "/pages", "image": "team.local/pages:1"],
      ]
    }
    #expect(objects.claims.map(\.name) == ["web-image-1"])
    let pod = objects.deployment.spec["template"]["spec"]
    #expect(
      pod["volumes"].elements.dropFirst() == [
        ["name": "image-2", "image": ["reference": "team.local/llama:3", "pullPolicy": "Never"]],
        ["name": "image-3", "image": ["reference": "team.local/pages:1"]],
      ])
    #expect(
      container(objects)["volumeMounts"].elements.dropFirst() == [
        ["name": "image-2", "mountPath": "/models", "readOnly": true, "subPath": "weights"],
        ["name": "image-3", "mountPath": "/pages", "readOnly": true],
      ])
  }

  @Test("volumes become claims, mounts and a strategy under which two pods never write at a time")
  func volumes() {
    let objects = desired {
      $0["volumes"] = [["name": "data", "mountPath": "/data", "size": "1Gi", "storageClassName": "fast"]]
    }
    #expect(objects.claims.map(\.name) == ["web-data"])
    #expect(objects.claims[0].spec["resources"]["requests"]["storage"].string == "1Gi")
    #expect(objects.claims[0].spec["storageClassName"].string == "fast")
    #expect(objects.claims[0].controller?.uid == "u1")
    #expect(objects.deployment.spec["strategy"]["type"].string == "Recreate")
    #expect(container(objects)["volumeMounts"][0]["mountPath"].string == "/data")
  }

  @Test("retained volumes have no owner")
  func retained() {
    let objects = desired {
      $0["volumes"] = [["name": "data", "mountPath": "/data", "size": "1Gi"]]
      $0["volumeRetention"] = "Retain"
    }
    #expect(objects.claims[0].ownerReferences.isEmpty)
  }

  @Test("going from one spec to another leaves nothing of the first behind")
  func removal() {
    let first = desired {
      $0["command"] = ["sh"]
      $0["env"] = [["name": "A", "value": "1"], ["name": "NAGAYA_APP", "value": "forged"]]
      $0["resources"] = ["limits": ["cpu": "1", "memory": "64Mi"], "requests": ["cpu": "100m"]]
      $0["readiness"]["path"] = "/up"
    }
    let second = desired {
      $0["env"] = [["name": "A", "valueFrom": ["secretKeyRef": ["name": "s", "key": "k"]]]]
      $0["resources"] = ["limits": ["memory": "128Mi"]]
    }
    var live = DesiredState.merged(first.deployment.json, into: .null)
    #expect(live["spec"]["template"]["spec"]["containers"][0]["env"].elements.count == 3)
    live["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"] = "now"
    let merged = DesiredState.merged(second.deployment.json, into: live)
    let container = merged["spec"]["template"]["spec"]["containers"][0]
    // Absent, not null: a server may keep an explicit null.
    #expect(container.members["command"] == nil)
    #expect(container["env"][2]["value"].isNull && !container["env"][2]["valueFrom"].isNull)
    #expect(container["resources"] == ["limits": ["memory": "128Mi"]])
    #expect(container["readinessProbe"]["httpGet"].isNull)
    #expect(merged["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"].string == "now")
    #expect(DesiredState.isMet(second.deployment.json, by: merged))
  }
}
