import Foundation
import JSONDocument
import PlatformHarness
import TestSupport
import Testing

extension WholePlatform {
  /// The verbs of the real kubectl 1.36.
  @Suite("kubectl")
  struct KubectlTests {
    /// Runs `body` in a namespace of its own.
    private func inNamespace(_ name: String, _ body: (Shell, String) async throws -> Void) async throws {
      let shell = try running().shell
      try await shell.succeed("kubectl create namespace \(name)")
      try await body(shell, "-n \(name)")
      try await shell.succeed("kubectl delete namespace \(name) --wait --timeout=60s", seconds: 90)
    }

    /// A file with a manifest.
    private func file(_ name: String, _ text: String) throws -> String {
      let path = "\(try running().directory)/\(name)"
      try Data(text.utf8).write(to: URL(fileURLWithPath: path))
      return path
    }

    private let deployment = """
      apiVersion: apps/v1
      kind: Deployment
      metadata:
        name: web
      spec:
        replicas: 2
        selector:
          matchLabels: {app: web}
        template:
          metadata:
            labels: {app: web}
          spec:
            terminationGracePeriodSeconds: 1
            containers:
            - name: web
              image: nagaya.local/hello:1
              env:
              - {name: COLOUR, value: red}
              ports:
              - {containerPort: 8080}
              readinessProbe:
                tcpSocket: {port: 8080}
                periodSeconds: 1
      """

    @Test("create and get in every form")
    func get() async throws {
      try await inNamespace("kubectl-get") { shell, n in
        try await shell.succeed("kubectl create configmap settings --from-literal=a=1 --from-literal=b=2 \(n)")
        #expect(try await shell.succeed("kubectl get configmap settings -o jsonpath='{.data.b}' \(n)") == "2")
        let yaml = try await shell.succeed("kubectl get configmap settings -o yaml \(n)")
        #expect(yaml.contains("kind: ConfigMap") && yaml.contains("a: \"1\""))
        #expect(try await shell.succeed("kubectl get cm -o name \(n)").contains("configmap/settings"))
        let table = try await shell.succeed("kubectl get cm settings \(n)")
        #expect(table.contains("NAME") && table.contains("DATA") && table.contains("AGE"))
        let wide = try await shell.succeed("kubectl get nodes -o wide")
        #expect(wide.contains("INTERNAL-IP") && wide.contains("containerd://"))
        #expect(
          try await shell.succeed("kubectl get cm -o custom-columns=N:.metadata.name --no-headers \(n)").contains(
            "settings"))
        #expect(try await shell.fail("kubectl get configmap nothing \(n)").contains("NotFound"))
        #expect(
          try await shell.fail("kubectl create configmap settings --from-literal=a=1 \(n)").contains("already exists"))
      }
    }

    @Test("apply twice, diff fields, and refuse server-side apply politely")
    func apply() async throws {
      try await inNamespace("kubectl-apply") { shell, n in
        let path = try file("web.yaml", deployment)
        #expect(try await shell.succeed("kubectl apply -f \(path) \(n)").contains("created"))
        #expect(try await shell.succeed("kubectl apply -f \(path) \(n)").contains("unchanged"))
        let changed = try file(
          "web2.yaml", deployment.replacingOccurrences(of: "replicas: 2", with: "replicas: 1"))
        #expect(try await shell.succeed("kubectl apply -f \(changed) \(n)").contains("configured"))
        #expect(try await shell.succeed("kubectl get deployment web -o jsonpath='{.spec.replicas}' \(n)") == "1")
        #expect(try await shell.fail("kubectl apply --server-side -f \(path) \(n)").contains("client-side"))
        let wrong = try file(
          "web3.yaml", deployment.replacingOccurrences(of: "replicas: 2", with: "replicaz: 2"))
        #expect(try await shell.fail("kubectl apply -f \(wrong) \(n)").contains("replicaz"))
      }
    }

    @Test("describe, edit, label, annotate and the three kinds of patch")
    func change() async throws {
      try await inNamespace("kubectl-change") { shell, n in
        let path = try file("web.yaml", deployment)
        try await shell.succeed("kubectl apply -f \(path) \(n)")
        let described = try await shell.succeed("kubectl describe deployment web \(n)")
        #expect(described.contains("RollingUpdate") && described.contains("nagaya.local/hello:1"))
        try await shell.succeed("KUBE_EDITOR='sed -i s/COLOUR/COLOR/' kubectl edit deployment web \(n)")
        try await shell.succeed("kubectl label deployment web tier=front \(n)")
        try await shell.succeed("kubectl annotate deployment web note='for tests' \(n)")
        try await shell.succeed(
          "kubectl patch deployment web --type=merge -p '{\"spec\":{\"minReadySeconds\":1}}' \(n)")
        try await shell.succeed(
          "kubectl patch deployment web --type=json -p '[{\"op\":\"replace\",\"path\":\"/spec/replicas\",\"value\":1}]' \(n)"
        )
        try await shell.succeed(
          "kubectl patch deployment web -p '{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"web\",\"env\":[{\"name\":\"EXTRA\",\"value\":\"x\"}]}]}}}}' \(n)"
        )
        let text = try await shell.succeed("kubectl get deployment web -o json \(n)")
        let object = try JSONValue(parsing: text)
        #expect(object["metadata"]["labels"]["tier"] == "front")
        #expect(object["metadata"]["annotations"]["note"] == "for tests")
        #expect(object["spec"]["minReadySeconds"] == 1 && object["spec"]["replicas"] == 1)
        let container = object["spec"]["template"]["spec"]["containers"][0]
        #expect(container["image"] == "nagaya.local/hello:1")
        #expect(Set(container["env"].elements.compactMap { $0["name"].string }) == ["COLOR", "EXTRA"])
      }
    }

    @Test("scale, rollout status, restart, history and undo; wait; logs -f")
    func rollout() async throws {
      try await inNamespace("kubectl-rollout") { shell, n in
        let path = try file("web.yaml", deployment)
        try await shell.succeed("kubectl apply -f \(path) \(n)")
        #expect(
          try await shell.succeed("kubectl rollout status deployment web --timeout=60s \(n)", seconds: 70).contains(
            "successfully rolled out"))
        try await shell.succeed("kubectl scale deployment web --replicas=1 \(n)")
        try await shell.succeed(
          "kubectl wait deployment web --for=jsonpath='{.status.readyReplicas}'=1 --timeout=60s \(n)")
        try await shell.succeed("kubectl rollout restart deployment web \(n)")
        try await shell.succeed("kubectl rollout status deployment web --timeout=60s \(n)", seconds: 70)
        #expect(try await shell.succeed("kubectl rollout history deployment web \(n)").contains("2"))
        try await shell.succeed("kubectl rollout undo deployment web \(n)")
        try await shell.succeed("kubectl rollout status deployment web --timeout=60s \(n)", seconds: 70)
        try await eventually("the old pods are gone") {
          try await shell("kubectl get pods -l app=web -o name \(n)").out.split(separator: "\n").count == 1
        }
        try await shell.succeed("kubectl wait pod -l app=web --for=condition=Ready --timeout=60s \(n)")
        let pod = try await shell.succeed("kubectl get pods -l app=web -o jsonpath='{.items[0].metadata.name}' \(n)")
        let address = try await shell.succeed("kubectl get pod \(pod) -o jsonpath='{.status.podIP}' \(n)")
        let followed = try await shell(
          "(sleep 2; curl -sS http://\(address):8080/healthz >/dev/null) & timeout 10 kubectl logs -f \(pod) \(n)")
        #expect(followed.out.contains("/healthz"), "\(followed)")
      }
    }

    @Test("deletion with finalizers waits for them")
    func finalizers() async throws {
      try await inNamespace("kubectl-finalizers") { shell, n in
        let path = try file(
          "held.yaml",
          "{apiVersion: v1, kind: ConfigMap, metadata: {name: held, finalizers: [example.com/hold]}}")
        try await shell.succeed("kubectl create -f \(path) \(n)")
        try await shell.succeed("kubectl delete configmap held --wait=false \(n)")
        #expect(
          try await !shell.succeed("kubectl get configmap held -o jsonpath='{.metadata.deletionTimestamp}' \(n)")
            .isEmpty)
        try await shell.succeed(
          "kubectl patch configmap held --type=merge -p '{\"metadata\":{\"finalizers\":null}}' \(n)")
        try await shell.succeed("kubectl wait configmap held --for=delete --timeout=20s \(n)")
      }
    }

    @Test("auth, api-resources, explain and version")
    func discovery() async throws {
      let shell = try running().shell
      #expect(try await shell.succeed("kubectl auth can-i create pods") == "yes\n")
      #expect(try await shell.succeed("kubectl auth whoami").contains("system:masters"))
      let resources = try await shell.succeed("kubectl api-resources")
      for line in [
        "applications", "tenants", "deployments", "persistentvolumeclaims", "csistoragecapacities", "leases",
        "volumeattributesclasses",
      ] {
        #expect(resources.contains(line), "\(line) is missing in\n\(resources)")
      }
      #expect(try await shell.succeed("kubectl explain pod.spec.containers").contains("image"))
      #expect(try await shell.succeed("kubectl explain app.spec").contains("volumes"))
      #expect(try await shell.succeed("kubectl explain vac.parameters").contains("Passed to the driver"))
      #expect(try await shell.succeed("kubectl version").contains("Server Version"))
      #expect(try await shell.succeed("kubectl get --raw /readyz") == "ok")
    }

    @Test("a service account's token opens what its roles grant, and nothing else")
    func serviceAccount() async throws {
      let nagaya = try running()
      try await inNamespace("kubectl-account") { shell, n in
        try await shell.succeed("kubectl create serviceaccount reader \(n)")
        try await shell.succeed(
          "kubectl create rolebinding reader --clusterrole=view --serviceaccount=kubectl-account:reader \(n)")
        let secret = try file(
          "token.yaml",
          "{apiVersion: v1, kind: Secret, type: kubernetes.io/service-account-token, metadata: {name: token, annotations: {kubernetes.io/service-account.name: reader}}}"
        )
        try await shell.succeed("kubectl create -f \(secret) \(n)")
        try await eventually("the token is there") {
          try await !shell("kubectl get secret token -o jsonpath='{.data.token}' \(n)").out.isEmpty
        }
        let token = try await shell.succeed("kubectl get secret token -o jsonpath='{.data.token}' \(n) | base64 -d")
        let kubectl = """
          kubectl --kubeconfig /dev/null --server https://127.0.0.1:\(nagaya.apiPort) \
          --certificate-authority $API_CA --token \(token)
          """
        #expect(try await shell.succeed("\(kubectl) auth can-i list pods \(n)") == "yes\n")
        #expect(try await shell("\(kubectl) auth can-i delete pods \(n)").out == "no\n")
        #expect(try await shell("\(kubectl) auth can-i list pods -n demo-dev").out == "no\n")
        try await shell.succeed("\(kubectl) get pods \(n)")
        #expect(try await shell.fail("\(kubectl) get secrets \(n)").contains("Forbidden"))
        #expect(try await shell.fail("\(kubectl) get pods -n demo-dev").contains("cannot list resource"))
        // May make namespaces, but none that would look like a tenant's.
        try await shell.succeed("kubectl create clusterrole namespaces --verb=create,delete --resource=namespaces")
        try await shell.succeed(
          "kubectl create clusterrolebinding namespaces --clusterrole=namespaces --serviceaccount=kubectl-account:reader"
        )
        #expect(try await shell.fail("\(kubectl) create namespace demo-other").contains("belong to tenant demo"))
        #expect(try await shell.fail("\(kubectl) delete namespace demo-dev").contains("environment of tenant demo"))
        try await shell.succeed("\(kubectl) create namespace kubectl-free && \(kubectl) delete namespace kubectl-free")
        try await shell.succeed("kubectl delete clusterrolebinding,clusterrole namespaces")
      }
    }

    @Test("wrong credentials and wrong requests get the right answer, and the server lives")
    func refusals() async throws {
      let nagaya = try running()
      let shell = nagaya.shell
      let api = "https://127.0.0.1:\(nagaya.apiPort)"
      func status(_ flags: String) async throws -> String {
        try await shell.succeed("curl -sS -o /dev/null -w '%{http_code}' --cacert $API_CA \(flags)")
      }
      let admin = "--cert \(nagaya.directory)/admin.crt --key \(nagaya.directory)/admin.key"
      for (member, file) in [("client-certificate-data", "admin.crt"), ("client-key-data", "admin.key")] {
        try await shell.succeed(
          "kubectl config view --raw -o jsonpath='{.users[0].user.\(member)}' | base64 -d > \(nagaya.directory)/\(file)"
        )
      }
      #expect(try await status("\(api)/api/v1/pods") == "401")
      #expect(try await status("-H 'Authorization: Bearer wrong' \(api)/api/v1/pods") == "401")
      #expect(try await status("\(admin) \(api)/api/v1/nothings") == "404")
      #expect(try await status("\(admin) '\(api)/api/v1/pods?labelSelector=a%20b%20c'") == "400")
      #expect(
        try await status("\(admin) -H 'Content-Type: application/json' -d '{\"kind\":' \(api)/api/v1/namespaces")
          == "400")
      try await shell.succeed("head -c 10000000 /dev/zero | tr '\\0' ' ' > \(nagaya.directory)/big")
      #expect(
        try await status(
          "\(admin) -H 'Content-Type: application/json' --data-binary @\(nagaya.directory)/big \(api)/api/v1/namespaces"
        )
          == "413")
      let deep = String(repeating: "[", count: 1000) + String(repeating: "]", count: 1000)
      #expect(
        try await status("\(admin) -H 'Content-Type: application/json' -d '\(deep)' \(api)/api/v1/namespaces") == "400")
      #expect(try await shell.fail("kubectl create namespace Not_A_Name").contains("Invalid"))
      #expect(try await status("\(admin) \(api)/readyz") == "200")
    }
  }
}
