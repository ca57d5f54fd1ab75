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
      #expect(described.contains("Limits by the node's hooks"), "\(described)")
      try await limitsInStatus(nagaya)

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

    private func limits(_ nagaya: PlatformInstance) async throws -> String {
      try await nagaya.shell(
        "kubectl get pod limited -n demo-dev -o jsonpath='{.metadata.annotations.hooks\\.nagaya\\.dev/limits}'"
      ).out
    }

    /// The pod's object says what holds: from its start, after a change, and whatever its author writes there.
    private func limitsInStatus(_ nagaya: PlatformInstance) async throws {
      let shell = nagaya.shell
      try await eventually("the pod's object says its limits") {
        try await limits(nagaya).contains("ulimit NOFILE 1234:1999, by annotation")
      }
      #expect(try await !limits(nagaya).contains("GREETING"))
      try await shell.succeed(
        "kubectl patch nodepolicy demo-limits --type=merge -p '{\"spec\":{\"resources\":{\"memory\":{\"max\":\"96Mi\"}}}}'"
      )
      try await eventually("it says the new one, too, while the container runs") {
        let text = try await limits(nagaya)
        return text.contains("memory 100663296, by policy demo-limits") && text.contains("NOFILE 1234:1999")
      }
      let held = try await attempt(Attack(.editor, "limits that a pod's author writes himself", on: .fairShare)) {
        for forged in ["{\\\"main\\\":[\\\"memory 1\\\"]}", "nonsense"] {
          try await shell.succeed(
            "kubectl annotate pod limited -n demo-dev --overwrite hooks.nagaya.dev/limits=\"\(forged)\"")
          try await eventually("it is put right") { try await limits(nagaya).contains("memory 100663296") }
        }
        try await shell.succeed("kubectl annotate pod limited -n demo-dev hooks.nagaya.dev/limits-")
        try await eventually("it is back") { try await limits(nagaya).contains("memory 100663296") }
        return .held("put right")
      }
      #expect(held)
    }

    @Test("a volume's classes reach the containers that mount it, also when the claim names another one")
    func volumeClasses() async throws {
      let nagaya = try running()
      let shell = nagaya.shell
      try await load(nagaya)
      try await shell.succeed(
        """
        kubectl apply -f - <<'EOF'
        {apiVersion: storage.k8s.io/v1, kind: VolumeAttributesClass, metadata: {name: silver}, driverName: local.nagaya.dev, parameters: {local.nagaya.dev/readBytesPerSecond: 10M}}
        ---
        {apiVersion: storage.k8s.io/v1, kind: VolumeAttributesClass, metadata: {name: gold}, driverName: local.nagaya.dev, parameters: {local.nagaya.dev/readBytesPerSecond: 20M}}
        EOF
        kubectl apply -n demo-dev -f - <<'EOF'
        apiVersion: v1
        kind: PersistentVolumeClaim
        metadata: {name: classed}
        spec: {accessModes: [ReadWriteOnce], volumeAttributesClassName: silver, resources: {requests: {storage: 300Mi}}}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: classed}
        spec:
          terminationGracePeriodSeconds: 1
          volumes: [{name: data, persistentVolumeClaim: {claimName: classed}}]
          containers:
          - {name: main, image: "nagaya.local/limits:1", imagePullPolicy: Never, volumeMounts: [{name: data, mountPath: /data, subPath: part}]}
        EOF
        """)
      _ = try await log(of: "classed", nagaya)
      // Which of both is so, is the machine's.
      let hasCgroup2 = FileManager.default.fileExists(atPath: "/sys/fs/cgroup/cgroup.controllers")
      func explained() async throws -> String {
        try await shell("nagaya hooks explain classed -n demo-dev --run \(nagaya.run)/hooks").out
      }
      func wanted(_ bytes: Int, _ name: String) -> [String] {
        hasCgroup2
          ? ["rbps=\(bytes)", "by volume attributes class \(name)"] : ["those of volumes' classes are left out"]
      }
      func current() async throws -> String {
        try await shell(
          "kubectl get pvc classed -n demo-dev -o jsonpath='{.status.currentVolumeAttributesClassName}'"
        ).out
      }
      try await eventually("the container is held to silver") {
        let text = try await explained()
        return wanted(10_000_000, "silver").allSatisfy(text.contains)
      }
      try await eventually("the claim has silver") { try await current() == "silver" }
      try await shell.succeed(
        "kubectl patch pvc classed -n demo-dev -p '{\"spec\":{\"volumeAttributesClassName\":\"gold\"}}'")
      try await eventually("the claim has gold") { try await current() == "gold" }
      try await eventually("the container is held to gold") {
        let text = try await explained()
        return wanted(20_000_000, "gold").allSatisfy(text.contains)
      }
      #expect(try await shell.succeed("kubectl get vac").contains("local.nagaya.dev"))
      #expect(try await shell.succeed("kubectl get pvc -n demo-dev classed").contains("gold"))
      let refused = try await shell(
        "kubectl create -f - <<'EOF'\n{apiVersion: storage.k8s.io/v1, kind: VolumeAttributesClass, metadata: {name: wrong}, driverName: local.nagaya.dev, parameters: {iops: '5'}}\nEOF"
      )
      #expect(refused.error.contains("parameters[iops]") && refused.error.contains("readBytesPerSecond"), "\(refused)")
      try await shell.succeed(
        "kubectl delete pod classed -n demo-dev; kubectl delete pvc classed -n demo-dev; kubectl delete vac silver gold"
      )
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
