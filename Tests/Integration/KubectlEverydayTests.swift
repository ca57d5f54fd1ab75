import Foundation
import JSONDocument
import PlatformHarness
import TestSupport
import Testing

extension WholePlatform {
  /// What people type at the real kubectl from day to day, on objects that really run.
  @Suite("kubectl from day to day")
  struct KubectlEverydayTests {
    /// Runs `body` in a namespace of its own with a pod `one` that runs.
    private func withPod(_ name: String, _ body: (Shell, String) async throws -> Void) async throws {
      let shell = try running().shell
      let n = "-n \(name)"
      try await shell.succeed("kubectl create namespace \(name)")
      try await shell.succeed("kubectl run one --image=nagaya.local/hello:1 --labels=app=one,tier=front \(n)")
      try await shell.succeed("kubectl wait pod one --for=condition=Ready --timeout=60s \(n)", seconds: 70)
      try await body(shell, n)
      try await shell.succeed("kubectl delete namespace \(name) --wait --timeout=60s", seconds: 90)
    }

    @Test("describe tells of an app's every object")
    func describe() async throws {
      let shell = try running().shell
      try await shell.succeed(
        "nagaya create app shown -n demo-dev --image=nagaya.local/hello:1 --volume data:/data:400Mi", seconds: 90)
      let expectations = [
        "app shown": ["Kind:         Application", "https://shown.dev.demo", "Updated Replicas"],
        "deployment shown": ["Recreate", "ScalingReplicaSet", "from 0 to 1", "Available"],
        "replicaset -l app.nagaya.dev/name=shown": ["Controlled By:  Deployment/shown", "SuccessfulCreate"],
        "pod -l app.nagaya.dev/name=shown": [
          "Controlled By:  ReplicaSet/shown-", "/data from data (rw)", "Scheduled", "Started", "Ready:          True",
        ],
        "service shown": ["TargetPort", ":8080", "Endpoints:"],
        "pvc shown-data": ["Status:        Bound", "nagaya-local", "Used By:", "ProvisioningSucceeded"],
        "pv": ["topology.local.nagaya.dev/node in [testnode]", "local.nagaya.dev", "Delete"],
        "node testnode": ["KubeletReady", "containerd://", "Allocated resources", "shown-"],
        "namespace demo-dev": ["nagaya.dev/tenant=demo", "Active"],
        "storageclass nagaya-local": ["WaitForFirstConsumer", "AllowVolumeExpansion"],
      ]
      for (object, words) in expectations {
        let text = try await shell.succeed("kubectl describe \(object) -n demo-dev")
        for word in words { #expect(text.contains(word), "describe \(object): \(word) is missing in\n\(text)") }
      }
      try await shell.succeed("nagaya delete app shown -n demo-dev")
    }

    @Test("get: wide, selected, sorted, watched, as columns, of all namespaces")
    func get() async throws {
      try await withPod("everyday-get") { shell, n in
        let wide = try await shell.succeed("kubectl get pod one -o wide \(n)")
        #expect(wide.contains("NOMINATED NODE") && wide.contains("testnode"), "\(wide)")
        #expect(try await shell.succeed("kubectl get pods -A").contains("everyday-get"))
        #expect(try await shell.succeed("kubectl get pods -l 'tier in (front),app!=two' -o name \(n)") == "pod/one\n")
        #expect(try await shell.succeed("kubectl get pods -l tier=back -o name \(n)") == "")
        #expect(
          try await shell.succeed(
            "kubectl get pods --field-selector=status.phase=Running,metadata.name=one -o name \(n)")
            == "pod/one\n")
        #expect(try await shell.fail("kubectl get pods --field-selector=spec.colour=red \(n)").contains("field label"))
        for name in ["c", "a", "b"] { try await shell.succeed("kubectl create configmap \(name) \(n)") }
        let sorted = try await shell.succeed(
          "kubectl get cm a b c --sort-by=.metadata.creationTimestamp --no-headers -o custom-columns=N:.metadata.name \(n)"
        )
        #expect(Set(sorted.split(separator: "\n")) == ["a", "b", "c"])
        #expect(
          try await shell.succeed(
            "kubectl get pod one -o jsonpath='{range .status.containerStatuses[*]}{.name}={.ready}{end}' \(n)")
            == "one=true")
        let watched = try await shell(
          "(sleep 1; kubectl label pod one seen=yes \(n) >/dev/null) & timeout 8 kubectl get pods -w -L seen --no-headers \(n)"
        ).out
        #expect(watched.contains("yes"), "\(watched)")
        #expect(try await shell.succeed("kubectl get all \(n)").contains("pod/one"))
        let unknown = try await shell.fail("kubectl get nothings \(n)")
        #expect(unknown.contains("doesn't have a resource type"))
      }
    }

    @Test("labels and annotations are set, guarded, overwritten and removed")
    func metadata() async throws {
      try await withPod("everyday-meta") { shell, n in
        let labels = "kubectl get pod one -o jsonpath='{.metadata.labels}' \(n)"
        #expect(try await shell.fail("kubectl label pod one tier=back \(n)").contains("already has a value"))
        try await shell.succeed("kubectl label pod one tier=back --overwrite \(n)")
        #expect(try await shell.succeed(labels) == #"{"app":"one","tier":"back"}"#)
        try await shell.succeed("kubectl label pods -l app=one tier- \(n)")
        #expect(try await shell.succeed(labels) == #"{"app":"one"}"#)
        #expect(try await shell.fail("kubectl label pod one 'tier=not a label' \(n)").contains("invalid label value"))
        try await shell.succeed("kubectl annotate pod one note=first \(n)")
        try await shell.succeed("kubectl annotate pod one note=second --overwrite \(n)")
        let note = "kubectl get pod one -o jsonpath='{.metadata.annotations.note}' \(n)"
        #expect(try await shell.succeed(note) == "second")
        try await shell.succeed("kubectl annotate pod one note- \(n)")
        #expect(try await shell.succeed(note) == "")
      }
    }

    @Test("logs: the last lines, with times, of several pods, of the run before")
    func logs() async throws {
      try await withPod("everyday-logs") { shell, n in
        let line = try await shell.succeed("kubectl logs one --tail=1 --timestamps \(n)")
        #expect(line.hasPrefix("20") && line.contains("Z ") && line.hasSuffix("listening on port 8080\n"), "\(line)")
        #expect(try await shell.succeed("kubectl logs one --since=1h \(n)").contains("listening"))
        #expect(try await shell.succeed("kubectl logs one --limit-bytes=9 \(n)") == "listening")
        #expect(try await shell.succeed("kubectl logs -l app=one --prefix \(n)").hasPrefix("[pod/one/one] listening"))
        #expect(try await shell.fail("kubectl logs one -c two \(n)").contains("two"))
        #expect(try await shell.fail("kubectl logs one --previous \(n)").contains("previous terminated container"))
        try await shell.succeed("kubectl run falls --image=nagaya.local/hello:1 --command \(n) -- /hello --exit=3")
        try await shell.succeed(
          "kubectl wait pod falls --for=jsonpath='{.status.containerStatuses[0].restartCount}'=1 --timeout=60s \(n)",
          seconds: 70)
        try await shell.succeed("kubectl logs falls --previous \(n)")
        let ended = try await shell.succeed(
          "kubectl get pod falls -o jsonpath='{.status.containerStatuses[0].lastState.terminated.exitCode}' \(n)")
        #expect(ended == "3")
      }
    }

    @Test("create in many ways, dry runs, diff, replace, expose, set image, orphaned and selected deletion")
    func objects() async throws {
      try await withPod("everyday-objects") { shell, n in
        let name = "kubectl get deployment web -o name \(n)"
        let create = "kubectl create deployment web --image=nagaya.local/hello:1 --replicas=2 \(n)"
        #expect(try await shell.succeed("\(create) --dry-run=server -o name") == "deployment.apps/web\n")
        #expect(try await shell.fail(name).contains("NotFound"))
        let difference = try await shell("\(create) --dry-run=client -o yaml | kubectl diff -f - \(n)")
        #expect(difference.status == 1 && difference.out.contains("+  replicas: 2"), "\(difference)")
        try await shell.succeed(create)
        try await shell.succeed("kubectl rollout status deployment web --timeout=60s \(n)", seconds: 70)
        #expect(
          try await shell("kubectl get deployment web -o yaml \(n) | kubectl diff -f - \(n)").status == 0,
          "what was read differs from what is there")
        try await shell.succeed(
          "kubectl get deployment web -o json \(n) | sed 's/\"replicas\": 2/\"replicas\": 1/' | kubectl replace -f -")
        try await shell.succeed(
          "kubectl wait deployment web --for=jsonpath='{.status.replicas}'=1 --timeout=60s \(n)", seconds: 70)
        try await shell.succeed("kubectl expose deployment web --port=80 --target-port=8080 \(n)")
        try await shell.succeed("kubectl create service clusterip plain --tcp=80:8080 \(n)")
        try await shell.succeed("kubectl create quota small --hard=pods=10 \(n)")
        #expect(try await shell.succeed("kubectl describe quota small \(n)").contains("pods"))
        try await shell.succeed("kubectl create secret generic keys --from-literal=token=s3cr3t \(n)")
        #expect(
          try await shell.succeed("kubectl get secret keys -o jsonpath='{.data.token}' \(n) | base64 -d") == "s3cr3t")
        try await shell.succeed("kubectl rollout pause deployment web \(n)")
        try await shell.succeed("kubectl set image deployment/web hello=nagaya.local/hello:1 \(n)")
        try await shell.succeed("kubectl set env deployment/web COLOUR=blue \(n)")
        #expect(
          try await shell.succeed("kubectl get rs -o name \(n)").split(separator: "\n").count == 1, "it is paused")
        try await shell.succeed("kubectl rollout resume deployment web \(n)")
        try await shell.succeed("kubectl rollout status deployment web --timeout=60s \(n)", seconds: 70)
        let environment =
          "kubectl get deployment web -o jsonpath='{.spec.template.spec.containers[0].env[0].value}' \(n)"
        #expect(try await shell.succeed(environment) == "blue")

        try await shell.succeed("kubectl delete deployment web --cascade=orphan \(n)")
        try await eventually("its sets are nobody's and stay") {
          let owners = try await shell.succeed("kubectl get rs -o jsonpath='{.items[*].metadata.ownerReferences}' \(n)")
          return owners.isEmpty
        }
        #expect(try await !shell.succeed("kubectl get rs -o name \(n)").isEmpty)
        try await shell.succeed("kubectl delete rs,pods -l app=web \(n) --timeout=60s", seconds: 70)
        #expect(try await shell.succeed("kubectl get pods -o name \(n)") == "pod/one\n")
      }
    }

    @Test("a list of objects is applied, read back, replaced and deleted as one file")
    func lists() async throws {
      let nagaya = try running()
      let shell = nagaya.shell
      try await shell.succeed("kubectl create namespace everyday-lists")
      let path = "\(nagaya.directory)/list.yaml"
      try await shell.succeed(
        """
        cat > \(path) <<'EOF'
        {apiVersion: v1, kind: List, items: [
          {apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {k: "1"}},
          {apiVersion: v1, kind: ConfigMap, metadata: {name: b}, data: {k: "2"}}]}
        EOF
        """)
      let n = "-n everyday-lists"
      let applied = try await shell.succeed("kubectl apply -f \(path) \(n)")
      #expect(applied.contains("configmap/a created") && applied.contains("configmap/b created"))
      try await shell.succeed(
        "kubectl get cm a b -o yaml \(n) | sed 's/k: \"1\"/k: \"3\"/' | kubectl replace -f -")
      #expect(try await shell.succeed("kubectl get cm -o jsonpath='{.items[*].data.k}' \(n)") == "3 2")
      let wrong = try await shell.fail("sed 's/ data/ dada/' \(path) | kubectl apply -f - \(n)")
      #expect(wrong.contains("unknown field") && wrong.contains("dada"), "\(wrong)")
      try await shell.succeed("kubectl delete -f \(path) \(n)")
      #expect(try await shell.fail("kubectl get cm a b \(n)").contains("NotFound"))
      try await shell.succeed("kubectl delete namespace everyday-lists --timeout=60s", seconds: 70)
    }

    @Test("cordon, drain and taints keep pods off the node, and uncordon lets them on")
    func nodes() async throws {
      try await withPod("everyday-nodes") { shell, n in
        try await shell.succeed("kubectl cordon testnode")
        #expect(try await shell.succeed("kubectl get nodes").contains("SchedulingDisabled"))
        try await shell.succeed("kubectl run later --image=nagaya.local/hello:1 \(n)")
        try await shell.succeed(
          "kubectl wait pod later --for=jsonpath='{.status.conditions[0].reason}'=Unschedulable --timeout=30s \(n)")
        #expect(try await shell.succeed("kubectl events --for pod/later \(n)").contains("unschedulable"))
        #expect(
          try await shell.succeed("kubectl drain testnode --dry-run=server --force --pod-selector=app=one").contains(
            "evicting pod everyday-nodes/one"))
        try await shell.succeed("kubectl taint node testnode maintenance=yes:NoSchedule")
        try await shell.succeed("kubectl uncordon testnode")
        try await eventually("the taint is the reason now") {
          try await shell("kubectl get pod later -o jsonpath='{.status.conditions[0].message}' \(n)").out.contains(
            "maintenance")
        }
        try await shell.succeed("kubectl taint node testnode maintenance-")
        try await shell.succeed("kubectl wait pod later --for=condition=Ready --timeout=60s \(n)", seconds: 70)
      }
    }

    @Test("auth can-i lists rules, explain goes deep, api-versions and cluster-info answer")
    func discovery() async throws {
      let shell = try running().shell
      let rules = try await shell.succeed("kubectl auth can-i --list")
      #expect(rules.contains("*.*") && rules.contains("[*]"))
      #expect(try await shell("kubectl auth can-i create pods --as=nobody").status != 0)
      #expect(try await shell.succeed("kubectl explain deployment.spec.strategy.rollingUpdate").contains("maxSurge"))
      #expect(try await shell.succeed("kubectl explain pod.spec --recursive").contains("terminationGracePeriodSeconds"))
      #expect(try await shell.fail("kubectl explain pod.spec.colour").contains("colour"))
      #expect(try await shell.succeed("kubectl api-versions").contains("nagaya.dev/v1alpha1"))
      #expect(
        try await shell.succeed("kubectl api-resources --namespaced=false -o name").contains("tenants.nagaya.dev"))
      #expect(try await shell.succeed("kubectl api-resources --verbs=patch --api-group=apps").contains("deployments"))
      #expect(try await shell.succeed("kubectl cluster-info").contains("is running at"))
      #expect(
        try await shell.succeed("kubectl patch app nothing -n demo-dev -p '{}' 2>&1 || true").contains("NotFound"))
    }

    @Test("what the server does not do is refused with words that help")
    func refusals() async throws {
      try await withPod("everyday-no") { shell, n in
        let refusals = [
          ("exec one \(n) -- ls", "kubectl logs"), ("attach one \(n)", "kubectl logs -f"),
          ("port-forward one 39999:8080 \(n)", "-o wide"),
          ("debug one --image=nagaya.local/hello:1 \(n)", "kubectl run"),
          ("top pods \(n)", "Metrics API not available"),
        ]
        for (command, words) in refusals {
          let said = try await shell.fail("kubectl \(command)", seconds: 20)
          #expect(said.contains(words), "\(command): \(said)")
        }
        #expect(try await shell.succeed("kubectl get pod one -o jsonpath='{.status.phase}' \(n)") == "Running")
      }
    }
  }
}
