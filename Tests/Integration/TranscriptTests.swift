import Foundation
import PlatformHarness
import TestSupport
import Testing

extension WholePlatform {
  /// What the README promises, typed in as a user would.
  @Suite("The README's tour")
  struct TranscriptTests {
    @Test("create, call, look, log, scale and delete an app with a volume")
    func tour() async throws {
      let nagaya = try running()
      let shell = nagaya.shell

      let created = try await shell.succeed(
        "nagaya create app hello -n demo-dev --image=nagaya.local/hello:1 --port=8080 --volume data:/data:1Gi",
        seconds: 90)
      #expect(created.contains("NAME"))
      #expect(created.contains("https://hello.dev.demo.localhost:\(nagaya.edgePort)"))
      #expect(created.contains("True"))

      let answer = try await shell.succeed("curl -sS --cacert $CA \(nagaya.url("hello"))")
      #expect(answer == "Hello from demo-dev/hello\n")
      let http1 = try await shell.succeed(
        "curl -sS --http1.1 -o /dev/null -w '%{http_code} %{http_version}' --cacert $CA \(nagaya.url("hello"))"
      )
      #expect(http1 == "200 1.1")
      let http2 = try await shell.succeed(
        "curl -sS --http2 -o /dev/null -w '%{http_code} %{http_version}' --cacert $CA \(nagaya.url("hello"))"
      )
      #expect(http2 == "200 2")

      let listing = try await shell.succeed("kubectl get apps,deployments,pods,pvc,pv,nodes -A")
      for part in [
        "application.nagaya.dev/hello", "deployment.apps/hello", "pod/hello-", "persistentvolumeclaim/hello-data",
        "persistentvolume/pvc-", "node/testnode",
      ] {
        #expect(listing.contains(part), "\(part) is missing in\n\(listing)")
      }

      let logs = try await shell.succeed("nagaya logs app hello -n demo-dev")
      #expect(logs.contains("GET /"), "\(logs)")

      try await shell.succeed("nagaya scale app hello --replicas=3 -n demo-dev")
      try await eventually("three pods are ready") {
        try await shell("kubectl get deployment hello -n demo-dev -o jsonpath='{.status.readyReplicas}'").out == "3"
      }
      let described = try await shell.succeed("nagaya describe app hello -n demo-dev")
      #expect(described.contains("hello-data"), "\(described)")

      try await shell.succeed("nagaya delete app hello -n demo-dev")
      try await eventually("pods, claims and volumes are gone") {
        let rest = try await shell(
          "kubectl get pods,pvc,deployments,rs,svc -n demo-dev -o name; kubectl get pv -o name"
        ).out
        return rest.isEmpty
      }
    }

    @Test("a volume enforces its size and keeps its data over restarts of the pod")
    func volume() async throws {
      let nagaya = try running()
      let shell = nagaya.shell
      try await shell.succeed(
        "nagaya create app keep -n demo-dev --image=nagaya.local/hello:1 --volume data:/data:512Mi", seconds: 90)
      for _ in 0..<3 { try await shell.succeed("curl -sS --cacert $CA \(nagaya.url("keep"))") }
      let before = try await shell.succeed("curl -sS --cacert $CA \(nagaya.url("keep", path: "/visits"))")
      try await shell.succeed("kubectl delete pod -n demo-dev -l app.nagaya.dev/name=keep --wait")
      try await eventually("the new pod answers") {
        try await shell("curl -sSf --cacert $CA \(nagaya.url("keep", path: "/visits"))").succeeded
      }
      let after = try await shell.succeed("curl -sS --cacert $CA \(nagaya.url("keep", path: "/visits"))")
      #expect(before.filter(\.isNumber) == "3" && after.filter(\.isNumber) == "3", "before \(before), after \(after)")
      let size = try await shell.succeed(
        "findmnt -rn -o SIZE,TARGET -b | grep -F '\(nagaya.directory)' | grep -F pvc- | head -1 | awk '{print $1}'")
      let bytes = try #require(Int(size.trimmingCharacters(in: .whitespacesAndNewlines)))
      #expect(bytes > 300 << 20 && bytes <= 512 << 20)
      try await shell.succeed("nagaya delete app keep -n demo-dev")
    }

    @Test("a second `nagaya up` says that one is running")
    func secondInstance() async throws {
      let nagaya = try running()
      let said = try await nagaya.shell.fail("nagaya up \(nagaya.flags)", seconds: 20)
      #expect(said.contains("already running"), "\(said)")
      let status = try await nagaya.shell.succeed("nagaya status --state-dir \(nagaya.state) --run-dir \(nagaya.run)")
      #expect(status.contains("Nagaya is ready"))
    }

    @Test("unknown hosts get a 404 page, apps without ready pods a 503 page")
    func pages() async throws {
      let nagaya = try running()
      let unknown = try await nagaya.shell.succeed(
        "curl -sS -w '\\n%{http_code}' --cacert $CA \(nagaya.url("nobody"))")
      #expect(unknown.hasSuffix("404"), "\(unknown)")
      try await nagaya.shell(
        "nagaya create app broken -n demo-dev --image=nagaya.local/hello:1 --port=9999 --no-wait")
      try await eventually("the page tells") {
        try await nagaya.shell("curl -sS -w '\\n%{http_code}' --cacert $CA \(nagaya.url("broken"))").out
          .hasSuffix("503")
      }
      try await nagaya.shell.succeed("nagaya delete app broken -n demo-dev")
    }
  }
}
