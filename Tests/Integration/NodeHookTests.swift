import Foundation
import JSONDocument
import PlatformHarness
import TestSupport
import Testing

extension WholePlatform {
  /// Pods whose containers want more, or get less, than they would by themselves.
  @Suite("Node hooks")
  struct NodeHookTests {
    private static let program = """
      #include <signal.h>
      #include <stdio.h>
      #include <stdlib.h>
      #include <sys/resource.h>
      #include <unistd.h>
      static void leave(int number) { (void)number; _exit(0); }
      int main(void) {
        struct rlimit limit;
        signal(SIGTERM, leave);
        getrlimit(RLIMIT_NOFILE, &limit);
        printf("NOFILE %llu:%llu\\n", (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max);
        printf("GREETING %s\\n", getenv("GREETING") ? getenv("GREETING") : "none");
        fflush(stdout);
        for (;;) pause();
      }
      """

    private func load(_ nagaya: PlatformInstance) async throws {
      let tools = "\(nagaya.directory)/limits"
      try await nagaya.shell.succeed(
        """
        mkdir -p \(tools) && cat > \(tools).c <<'EOF'
        \(Self.program)
        EOF
        cc -static -o \(tools)/limits \(tools).c &&
        nagaya image pack \(tools) --name nagaya.local/limits:1 --cmd /limits --output \(tools).tar &&
        nagaya image load \(tools).tar --state-dir \(nagaya.state) --run-dir \(nagaya.run)
        """, seconds: 120)
    }

    private func run(_ name: String, _ limits: String, _ nagaya: PlatformInstance) async throws {
      try await nagaya.shell.succeed(
        """
        kubectl apply -n demo-dev -f - <<'EOF'
        apiVersion: v1
        kind: Pod
        metadata:
          name: \(name)
          annotations: {ulimits.noderesource.dev/container.main: "\(limits)"}
        spec:
          terminationGracePeriodSeconds: 1
          containers: [{name: main, image: "nagaya.local/limits:1", imagePullPolicy: Never}]
        EOF
        """)
    }

    private func log(of name: String, _ nagaya: PlatformInstance) async throws -> String {
      var log = ""
      try await eventually("pod \(name) has printed all") {
        log = try await nagaya.shell("kubectl logs -n demo-dev \(name)").out
        return log.contains("GREETING")
      }
      return log
    }

    private func events(of name: String, _ nagaya: PlatformInstance) async throws -> String {
      try await nagaya.shell.succeed(
        "kubectl get events -n demo-dev --field-selector involvedObject.name=\(name) -o jsonpath='{range .items[*]}{.reason}: {.message}{\"\\n\"}{end}'"
      )
    }

    @Test("an annotation and a policy reach a pod, a bound refuses another, and both are explained")
    func annotation() async throws {
      let nagaya = try running()
      let shell = nagaya.shell
      try await load(nagaya)
      try await shell.succeed(
        """
        kubectl apply -f - <<'EOF'
        apiVersion: nagaya.dev/v1alpha1
        kind: NodePolicy
        metadata: {name: demo-limits}
        spec:
          match: {tenants: [demo], containers: [main]}
          ulimits: [{type: NOFILE, max: 2000}]
          env: [{name: GREETING, value: good morning}]
        EOF
        """)
      let asked = "curl -s --unix-socket \(nagaya.run)/hooks/status.sock http://localhost/v1/hooks"
      try await eventually("the policy is on the node") {
        try JSONValue(parsing: try await shell(asked).out)["policies"].int == 2
      }
      try await run("limited", "[{type: NOFILE, soft: 1234, hard: 1999}]", nagaya)
      let printed = try await log(of: "limited", nagaya)
      #expect(printed.contains("NOFILE 1234:1999") && printed.contains("GREETING good morning"), "\(printed)")
      let told = try await events(of: "limited", nagaya)
      #expect(told.contains("Adjusted: Container main:") && told.contains("by policy demo-limits"), "\(told)")
      let explained = try await shell.succeed(
        "nagaya hooks explain limited -n demo-dev --run \(nagaya.run)/hooks")
      #expect(explained.contains("ulimit NOFILE 1234:1999, by annotation"), "\(explained)")
      let described = try await shell.succeed("nagaya describe pod limited -n demo-dev")
      #expect(described.contains("Adjusted") && described.contains("by policy demo-limits"), "\(described)")

      try await run("greedy", "[{type: NOFILE, soft: 1, hard: 2001}]", nagaya)
      try await eventually("the refusal is told") {
        let told = try await events(of: "greedy", nagaya)
        return told.contains("HookRefused") && told.contains("by policy demo-limits")
      }
      // The event comes from the hooks, the state from the node agent.
      try await eventually("the pod's state says why") {
        try await shell(
          "kubectl get pod greedy -n demo-dev -o jsonpath='{.status.containerStatuses[0].state.waiting.message}'"
        ).out.contains("line 1")
      }
      try await shell.succeed("kubectl delete pod limited greedy -n demo-dev; kubectl delete nodepolicy demo-limits")
    }

    @Test("a pod that starts while the hooks are killed gets its limits all the same")
    func killed() async throws {
      let nagaya = try running()
      try await load(nagaya)
      for round in 0..<4 {
        let pid = try await nagaya.pid(of: "hooks")
        if pid > 1 { kill(pid, SIGKILL) }
        try await run("survivor-\(round)", "[{type: NOFILE, soft: 100, hard: 200}]", nagaya)
        let printed = try await log(of: "survivor-\(round)", nagaya)
        #expect(printed.contains("NOFILE 100:200"), "\(printed)")
        try await nagaya.shell.succeed("kubectl delete pod survivor-\(round) -n demo-dev")
      }
    }

    @Test("without a policy an annotation raises nothing beyond what pods of this node may have")
    func nodeLimits() async throws {
      let nagaya = try running()
      try await load(nagaya)
      let held = try await attempt(Attack(.editor, "more open files than the node gives its pods", on: .nodeMemory)) {
        try await run("raised", "[{type: NOFILE, soft: 1, hard: 1000000}]", nagaya)
        try await eventually("the refusal is told") {
          try await events(of: "raised", nagaya).contains("HookRefused")
        }
        let log = try await nagaya.shell("kubectl logs -n demo-dev raised").out
        return .check(!log.contains("NOFILE"), log)
      }
      #expect(held)
      try await nagaya.shell.succeed("kubectl delete pod raised -n demo-dev")
    }
  }
}
