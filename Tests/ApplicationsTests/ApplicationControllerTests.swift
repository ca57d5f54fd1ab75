import Applications
import JSONDocument
import KubernetesAPI
import KubernetesClient
import TestSupport
import Testing

@Suite("The application controller, against the API server")
struct ApplicationControllerTests {
  private static let volume: JSONValue = [["name": "data", "mountPath": "/data", "size": "1Gi"]]

  @Test("makes the parts, repairs drift, and writes nothing when nothing differs")
  func makesAndRepairs() async throws {
    try await Household.run { house in
      try await house.client.create(makeApplication { $0["volumes"] = Self.volume }, as: .applications)
      let app = try await house.ready(.applications, "web", reason: "Progressing")
      #expect(app?.status["endpoint"].string == "https://web.dev.demo.nagaya.test:8443")
      let claim = try await house.get(.persistentVolumeClaims, "web-data")
      #expect(claim?.controller?.uid == app?.uid)
      let before = try await house.settled()
      // A change that means nothing to the controller.
      try await house.client.patch(
        .applications, namespace: "demo-dev", name: "web", ["metadata": ["annotations": ["note": "x"]]])
      var after = try await house.settled()
      #expect(after["Application demo-dev/web"] != before["Application demo-dev/web"])
      after["Application demo-dev/web"] = before["Application demo-dev/web"]
      #expect(after == before)
      // Drift.
      try await house.client.patch(
        .deployments, namespace: "demo-dev", name: "web", ["spec": ["replicas": 7]])
      let repaired: Bool? = try await house.eventually {
        try await house.get(.deployments, "web")?.spec["replicas"].int == 1 ? true : nil
      }
      #expect(repaired == true)
      try await house.client.delete(.services, namespace: "demo-dev", name: "web")
      #expect(try await house.eventually { try await house.get(.services, "web") } != nil)
    }
  }

  @Test("is ready when its deployment is, and follows spec.replicas")
  func becomesReady() async throws {
    try await Household.run { house in
      try await house.client.create(makeApplication(), as: .applications)
      guard var deployment = try await house.eventually({ try await house.get(.deployments, "web") }) else {
        Issue.record("no deployment")
        return
      }
      deployment.status = [
        "observedGeneration": JSONValue(deployment.generation), "replicas": 1, "readyReplicas": 1, "updatedReplicas": 1,
      ]
      try await house.client.updateStatus(deployment, as: .deployments)
      let app = try await house.ready(.applications, "web", reason: "")
      #expect(app?.isConditionTrue("Ready") == true)
      #expect(app?.status["readyReplicas"].int == 1)
      try await house.client.patch(.applications, namespace: "demo-dev", name: "web", ["spec": ["replicas": 0]])
      let stopped = try await house.ready(.applications, "web", reason: "ScaledToZero")
      #expect(stopped?.condition("Ready")?["status"].string == "False")
    }
  }

  @Test("never touches an object of the same name that is not its own")
  func nameTaken() async throws {
    try await Household.run { house in
      var foreign = KubernetesObject(.services, namespace: "demo-dev", name: "web")
      foreign.spec = ["ports": [["port": 1234]], "selector": ["app": "other"]]
      let created = try await house.client.create(foreign, as: .services)
      try await house.client.create(makeApplication(), as: .applications)
      let app = try await house.ready(.applications, "web", reason: "NameTaken")
      #expect(app?.condition("Ready")?["status"].string == "False")
      #expect(app?.condition("Ready")?["message"].string?.contains("kubectl delete service web -n demo-dev") == true)
      #expect(try await house.get(.services, "web")?.resourceVersion == created.resourceVersion)
      // The way is free: the app goes on by itself.
      try await house.client.delete(.services, namespace: "demo-dev", name: "web")
      #expect(try await house.ready(.applications, "web", reason: "Progressing") != nil)
    }
  }

  @Test("a volume taken out and put back in keeps its claim")
  func thereAndBack() async throws {
    try await Household.run { house in
      try await house.client.create(makeApplication { $0["volumes"] = Self.volume }, as: .applications)
      let claim = try await house.eventually { try await house.get(.persistentVolumeClaims, "web-data") }
      for _ in 0..<5 {
        try await house.client.patch(.applications, namespace: "demo-dev", name: "web", ["spec": ["volumes": nil]])
        try await house.client.patch(
          .applications, namespace: "demo-dev", name: "web", ["spec": ["volumes": Self.volume]])
      }
      _ = try await house.settled()
      // On a busy machine a reconcile may still be on its way.
      let after = try await house.eventually {
        let claim = try await house.get(.persistentVolumeClaims, "web-data")
        return claim?.annotations[Application.unusedSinceAnnotation] == nil ? claim : nil
      }
      #expect(after != nil && after?.uid == claim?.uid && after?.isBeingDeleted == false)
    }
  }

  @Test("a volume that stays out loses its claim after the grace period")
  func retired() async throws {
    try await Household.run(grace: .milliseconds(100)) { house in
      try await house.client.create(makeApplication { $0["volumes"] = Self.volume }, as: .applications)
      #expect(try await house.eventually { try await house.get(.persistentVolumeClaims, "web-data") } != nil)
      try await house.client.patch(.applications, namespace: "demo-dev", name: "web", ["spec": ["volumes": nil]])
      let isGone: Bool? = try await house.eventually {
        let claim = try await house.get(.persistentVolumeClaims, "web-data")
        return claim == nil || claim?.isBeingDeleted == true ? true : nil
      }
      #expect(isGone == true)
    }
  }

  @Test("retained volumes outlive their app, also when that was decided at the last moment, and are used again")
  func retention() async throws {
    try await Household.run { house in
      try await house.client.create(makeApplication { $0["volumes"] = Self.volume }, as: .applications)
      let claim = try await house.eventually { try await house.get(.persistentVolumeClaims, "web-data") }
      _ = try await house.settled()
      try await house.client.patch(
        .applications, namespace: "demo-dev", name: "web", ["spec": ["volumeRetention": "Retain"]])
      try await house.client.delete(.applications, namespace: "demo-dev", name: "web")
      let isGone: Bool? = try await house.eventually {
        try await house.get(.deployments, "web") == nil ? true : nil
      }
      #expect(isGone == true)
      _ = try await house.settled()
      let kept = try await house.get(.persistentVolumeClaims, "web-data")
      #expect(kept?.uid == claim?.uid && kept?.isBeingDeleted == false)
      try await house.client.create(makeApplication { $0["volumes"] = Self.volume }, as: .applications)
      #expect(try await house.ready(.applications, "web", reason: "Progressing") != nil)
      #expect(try await house.get(.persistentVolumeClaims, "web-data")?.uid == claim?.uid)
    }
  }
}
