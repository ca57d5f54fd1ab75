import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import TestSupport
import Testing

@testable import nagaya

/// Commands against the real API server, in the same process.
@Suite struct ServerCommandTests {
  func withServer(_ body: @Sendable (CommandRunner, KubernetesClient) async throws -> Void) async throws {
    try await APIServer.withInMemory(registry: .standard, namespaces: ["default", "demo-dev", "demo-prod"]) { server in
      try await body(CommandRunner(server: server), server.client())
    }
  }

  /// What the controller would say of an app.
  static func judge(
    _ client: KubernetesClient, _ name: String, ready: String, reason: String = "", message: String = ""
  ) async throws {
    var app = try await client.get(.applications, namespace: "demo-dev", name: name)
    app.status = [
      "observedGeneration": JSONValue(app.generation), "endpoint": .string("https://\(name).demo-dev.test:8443"),
      "conditions": [
        [
          "type": "Ready", "status": .string(ready), "reason": .string(reason), "message": .string(message),
          "lastTransitionTime": .string(Timestamp.now.description),
        ]
      ],
    ]
    try await client.updateStatus(app, as: .applications)
  }

  @Test func `create waits until the app is ready and prints its row`() async throws {
    try await withServer { run, client in
      async let result = run("create", "app", "hello", "-n", "demo-dev", "--image", "i:1", "--timeout", "20s")
      try await eventually("the app is made") {
        try await client.getIfPresent(.applications, namespace: "demo-dev", name: "hello") != nil
      }
      try await Self.judge(client, "hello", ready: "Unknown", reason: "Progressing", message: "0 of 1 pods are ready")
      try await Self.judge(client, "hello", ready: "True")
      let done = await result
      #expect(done.code == 0, "\(done.error)")
      let lines = done.out.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
      #expect(lines.first == ["NAME", "ENDPOINT", "READY", "REASON", "AGE"])
      #expect(lines.last?.prefix(3) == ["hello", "https://hello.demo-dev.test:8443", "True"])
    }
  }

  @Test func `create says why an app cannot start, at once, and what to do`() async throws {
    try await withServer { run, client in
      async let result = run("create", "app", "gone", "-n", "demo-dev", "--image", "no/such:1", "--timeout", "60s")
      try await eventually("the app is made") {
        try await client.getIfPresent(.applications, namespace: "demo-dev", name: "gone") != nil
      }
      try await Self.judge(
        client, "gone", ready: "False", reason: "ImageNotFound", message: "image no/such:1 is not found")
      let done = await result
      #expect(done.code == 1)
      #expect(done.out.isEmpty)
      #expect(done.error.contains("error: app gone is not ready: ImageNotFound: image no/such:1 is not found"))
      #expect(done.error.contains("nagaya image load"))
    }
  }

  @Test func `create ends with 124 when the time is up and tells the last reason`() async throws {
    try await withServer { run, client in
      async let result = run("create", "app", "slow", "-n", "demo-dev", "--image", "i", "--timeout", "2s")
      try await eventually("the app is made") {
        try await client.getIfPresent(.applications, namespace: "demo-dev", name: "slow") != nil
      }
      try await Self.judge(client, "slow", ready: "False", reason: "PortNotOpen", message: "nothing listens")
      let done = await result
      #expect(done.code == 124)
      #expect(done.error.contains("app slow is not ready after 2s: PortNotOpen: nothing listens"))
    }
  }

  @Test func `an old judgement does not count for a new spec`() async throws {
    try await withServer { run, client in
      _ = await run("create", "app", "web", "-n", "demo-dev", "--image", "i", "--no-wait")
      try await Self.judge(client, "web", ready: "True")
      let result = await run("scale", "app", "web", "-n", "demo-dev", "--replicas", "3", "--wait", "--timeout", "1s")
      #expect(result.code == 124)
      #expect(try await client.get(.applications, namespace: "demo-dev", name: "web").spec["replicas"] == 3)
    }
  }

  @Test func `get prints tables, names, json and yaml`() async throws {
    try await withServer { run, _ in
      for (name, namespace) in [("a", "demo-dev"), ("b", "demo-dev"), ("c", "demo-prod")] {
        let made = await run("create", "app", name, "-n", namespace, "--image", "i:\(name)", "--no-wait")
        #expect(made.out == "application.nagaya.dev/\(name) created\n", "\(made.error)")
      }
      let all = await run("get", "apps", "-A")
      #expect(all.out.split(separator: "\n").count == 4)
      #expect(all.out.hasPrefix("NAMESPACE   NAME"))
      #expect(await run("get", "apps", "-n", "demo-dev", "--no-headers").out.split(separator: "\n").count == 2)
      #expect(
        await run("get", "app", "b", "a", "-n", "demo-dev", "-o", "name").out
          == "application.nagaya.dev/b\napplication.nagaya.dev/a\n")
      let one = try JSONValue(parsing: await run("get", "app", "c", "-n", "demo-prod", "-o", "json").out)
      #expect(one["spec"]["image"] == "i:c")
      let list = try YAML.parseAll(await run("get", "apps", "-A", "-o", "yaml").out)
      #expect(list.first?["items"].elements.count == 3)
      let none = await run("get", "apps")
      #expect(none.out.isEmpty)
      #expect(none.error == "No applications found in namespace default.\n")
      #expect(none.code == 0)
    }
  }

  @Test(arguments: ["pods", "volumes", "events", "nodes", "pools", "tenants", "namespaces", "apps"])
  func `every noun of get is served`(_ noun: String) async throws {
    try await withServer { run, _ in
      let result = await run("get", noun)
      #expect(result.code == 0, "\(result.error)")
      #expect(!(result.out + result.error).isEmpty)
    }
  }

  @Test func `more than a page of objects is listed whole`() async throws {
    try await withServer { run, client in
      for index in 0..<510 {
        var app = KubernetesObject(
          .applications, namespace: "demo-dev", name: "app-\(index)", labels: ["n": "\(index % 2)"])
        app.spec["image"] = "i"
        try await client.create(app, as: .applications)
      }
      #expect(await run("get", "apps", "-n", "demo-dev").out.split(separator: "\n").count == 511)
      #expect(await run("get", "apps", "-n", "demo-dev", "-l", "n=1").out.split(separator: "\n").count == 256)
    }
  }

  @Test func `watch prints each change until it is ended`() async throws {
    try await withServer { run, client in
      _ = await run("create", "app", "a", "-n", "demo-dev", "--image", "i", "--no-wait")
      let recorder = Recorder()
      let watching = Task { await run.run(["get", "apps", "-n", "demo-dev", "--watch"], recorder: recorder) }
      try await eventually("the table is there") { recorder.out.contains("a ") }
      _ = await run("create", "app", "later", "-n", "demo-dev", "--image", "i", "--no-wait")
      try await eventually("the new app is shown") { recorder.out.contains("later") }
      try await Self.judge(client, "later", ready: "False", reason: "CrashLoop")
      try await eventually("the change is shown") { recorder.out.contains("CrashLoop") }
      watching.cancel()
      _ = await watching.value
      #expect(recorder.out.split(separator: "\n").count(where: { $0.hasPrefix("NAME") }) == 1)
    }
  }

  @Test func `delete says what goes and waits until it is gone`() async throws {
    try await withServer { run, client in
      _ = await run("create", "app", "db", "-n", "demo-dev", "--image", "i", "--volume", "data:/data:1Gi", "--no-wait")
      var app = try await client.get(.applications, namespace: "demo-dev", name: "db")
      app.finalizers = ["test.nagaya.dev/hold"]
      try await client.update(app, as: .applications)
      let held = await run("delete", "app", "db", "-n", "demo-dev", "--timeout", "1s")
      #expect(held.code == 124)
      #expect(held.out == "application.nagaya.dev \"db\" deleted\n")
      #expect(held.error.contains("goes: volume data (1Gi) and what is on it"))
      #expect(held.error.contains("finalizers"))
      app = try await client.get(.applications, namespace: "demo-dev", name: "db")
      app.finalizers = []
      try await client.update(app, as: .applications)
      #expect(try await client.getIfPresent(.applications, namespace: "demo-dev", name: "db") == nil)
      let again = await run("delete", "app", "db", "-n", "demo-dev")
      #expect(again.code == 1)
      #expect(again.error.hasPrefix("error: applications.nagaya.dev \"db\" not found\n"))
    }
  }

  @Test func `delete can keep the volumes`() async throws {
    try await withServer { run, client in
      _ = await run("create", "app", "db", "-n", "demo-dev", "--image", "i", "--volume", "data:/data:1Gi", "--no-wait")
      var app = try await client.get(.applications, namespace: "demo-dev", name: "db")
      app.finalizers = ["test.nagaya.dev/hold"]
      try await client.update(app, as: .applications)
      let result = await run("delete", "app", "db", "-n", "demo-dev", "--keep-volumes", "--no-wait")
      #expect(result.code == 0)
      #expect(result.error.contains("stays: volume data (1Gi), as persistentvolumeclaim/db-data"))
      let kept = try await client.get(.applications, namespace: "demo-dev", name: "db")
      #expect(kept.spec["volumeRetention"] == "Retain")
    }
  }

  @Test func `refusals say what and what to do`() async throws {
    try await withServer { run, _ in
      _ = await run("create", "app", "a", "-n", "demo-dev", "--image", "i", "--no-wait")
      let twice = await run("create", "app", "a", "-n", "demo-dev", "--image", "i", "--no-wait")
      #expect(twice.code == 1)
      #expect(twice.error.contains("already exists"))
      #expect(twice.error.contains("choose another name"))
      let nowhere = await run("create", "app", "a", "-n", "no-such", "--image", "i", "--no-wait")
      #expect(nowhere.code == 1)
      #expect(nowhere.error.contains("nagaya create tenant"), "\(nowhere.error)")
      let missing = await run("describe", "app", "b", "-n", "demo-dev")
      #expect(missing.code == 1)
      #expect(missing.error.split(separator: "\n").count == 2)
    }
  }

  @Test func `describe shows an app that has just begun`() async throws {
    try await withServer { run, _ in
      _ = await run("create", "app", "a", "-n", "demo-dev", "--image", "i", "--no-wait")
      let result = await run("describe", "app", "a", "-n", "demo-dev")
      #expect(result.code == 0, "\(result.error)")
      #expect(result.out.contains("Ready:       not judged yet"))
      #expect(result.out.contains("Pods: none"))
    }
  }

  @Test func `delete app waits until its pods have ended`() async throws {
    try await withServer { run, client in
      _ = await run("create", "app", "web", "-n", "demo-dev", "--image", "i", "--no-wait")
      var pod = KubernetesObject(.pods, namespace: "demo-dev", name: "web-1", labels: [AppParts.label: "web"])
      pod.spec = ["containers": [["name": "app", "image": "i"]]]
      pod.finalizers = ["test.nagaya.dev/hold"]
      pod = try await client.create(pod, as: .pods)
      let late = await run("delete", "app", "web", "-n", "demo-dev", "--timeout", "1s")
      #expect(late.code == 124)
      #expect(late.error.contains("app web is gone, but after 1s there is still pod web-1"), "\(late.error)")

      _ = await run("create", "app", "web", "-n", "demo-dev", "--image", "i", "--no-wait")
      async let deletion = run("delete", "app", "web", "-n", "demo-dev", "--timeout", "20s")
      try await eventually("the app is gone") {
        try await client.getIfPresent(.applications, namespace: "demo-dev", name: "web") == nil
      }
      pod = try await client.get(.pods, namespace: "demo-dev", name: "web-1")
      pod.finalizers = []
      try await client.update(pod, as: .pods)
      try await client.delete(.pods, namespace: "demo-dev", name: "web-1")
      #expect(await deletion.code == 0)
      #expect(try await client.getIfPresent(.pods, namespace: "demo-dev", name: "web-1") == nil)
    }
  }

  @Test func `a volume that is kept is not waited for, one that goes is`() async throws {
    try await withServer { run, client in
      var claim = KubernetesObject(
        .persistentVolumeClaims, namespace: "demo-dev", name: "db-data", labels: [AppParts.label: "db"])
      claim.spec = ["accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "1Gi"]]]
      try await client.create(claim, as: .persistentVolumeClaims)
      for flag in ["--keep-volumes", "--wait"] {
        _ = await run(
          "create", "app", "db", "-n", "demo-dev", "--image", "i", "--volume", "data:/data:1Gi", "--no-wait")
        let result = await run("delete", "app", "db", "-n", "demo-dev", flag, "--timeout", "1s")
        #expect(result.code == (flag == "--wait" ? 124 : 0), "\(flag) \(result.error)")
        #expect(result.error.contains("still volume claim db-data") == (flag == "--wait"))
      }
    }
  }

  @Test func `a tenant goes with its apps only if that is said, and then confirmed to its controller`() async throws {
    try await withServer { run, client in
      var tenant = KubernetesObject(.tenants, name: "demo")
      tenant.spec = ["environments": ["dev"]]
      // What the controller does: it holds the tenant and says why.
      tenant.finalizers = ["nagaya.dev/tenant"]
      tenant = try await client.create(tenant, as: .tenants)
      try await client.patch(.namespaces, name: "demo-dev", ["metadata": ["labels": ["nagaya.dev/tenant": "demo"]]])
      tenant.setCondition(Condition("Ready", .no, reason: "Deleting", message: "waits until demo-dev is gone"))
      try await client.updateStatus(tenant, as: .tenants)
      _ = await run("create", "app", "web", "-n", "demo-dev", "--image", "i", "--no-wait")

      let refused = await run("delete", "tenant", "demo")
      #expect(refused.code == 1)
      #expect(refused.error.contains("app demo-dev/web") && refused.error.contains("--with-apps"), "\(refused.error)")
      #expect(try await client.get(.tenants, name: "demo").isBeingDeleted == false)

      let late = await run("delete", "tenant", "demo", "--with-apps", "--timeout", "1s")
      #expect(late.code == 124)
      #expect(late.error.contains("waits until demo-dev is gone"), "\(late.error)")
      let held = try await client.get(.tenants, name: "demo")
      #expect(held.isBeingDeleted && held.annotations["nagaya.dev/confirm-deletion"] == "demo")
    }
  }

  @Test func `a namespace that does not exist is told of beside an empty list`() async throws {
    try await withServer { run, _ in
      let nowhere = await run("get", "apps", "-n", "nosuch")
      #expect(nowhere.code == 0)
      #expect(nowhere.error.contains("No applications found in namespace nosuch."))
      #expect(nowhere.error.contains("no such namespace"))
      #expect(await !run("get", "apps", "-n", "demo-dev").error.contains("no such"))
    }
  }

  @Test func `the first start makes the tenant of the tour, later ones leave its deletion alone`() async throws {
    try await APIServer.withInMemory(registry: .standard, namespaces: []) { server in
      let client = server.client()
      let bootstrap = Bootstrap(client: client)
      try await bootstrap.run()
      #expect(try await client.getIfPresent(.tenants, name: "demo") != nil)
      #expect(try await client.getIfPresent(.namespaces, name: "default") != nil)
      try await client.delete(.tenants, name: "demo")
      try await bootstrap.run()
      #expect(try await client.getIfPresent(.tenants, name: "demo") == nil)
    }
  }
}

/// What a user is told to do next.
@Suite struct RemedyTests {
  @Test(arguments: [
    ("Unschedulable", "\"hello-data\" has no storage class that exists", "kubectl get storageclasses", "--cpu"),
    ("Unschedulable", "0/1 nodes are available: Insufficient cpu", "ask for less --cpu", "storageclasses"),
    ("Forbidden", "forbidden: failed quota: tenant: must specify requests.cpu", "--cpu 100m", "--memory"),
    (
      "Forbidden", "failed quota: tenant: must specify limits.memory,requests.cpu", "--cpu 100m --memory 128Mi", "admin"
    ),
    ("Forbidden", "not allowed", "ask an admin", "--cpu"),
  ]) func `fits the message`(_ reason: String, _ message: String, _ words: String, _ absent: String) {
    let text = NextStep.text(reason: reason, message: message, app: "hello", namespace: "demo-dev")
    #expect(text.contains(words), "\(text)")
    #expect(!text.contains(absent), "\(text)")
  }

  @Test(arguments: ["Progressing", "NotReady", "CreateContainerConfigError", "Deleting", "", "SomethingNew"])
  func `describe does not lead to itself`(_ reason: String) {
    let described = NextStep.text(
      reason: reason, message: "", app: "hello", namespace: "demo-dev", isDescribed: true)
    #expect(!described.contains("nagaya describe") && described.contains("hello"))
    #expect(NextStep.text(reason: reason, message: "", app: "hello", namespace: "n").contains("nagaya describe"))
  }

  @Test func `of a quota that wants every copy's share names the options`() {
    let status = APIStatus(.forbidden, "pods \"x\" is forbidden: failed quota: tenant: must specify requests.memory")
    #expect(CommandFailure(status).remedy.contains("--memory 128Mi"))
  }

  @Test func `of an archive that is not there is to look for it`() async {
    let result = await CommandRunner()("image", "load", "/nowhere/nosuch.tar")
    #expect(result.code == 1)
    #expect(result.error.contains("there is no file /nowhere/nosuch.tar") && !result.error.contains("anew"))
  }
}
