import PlatformHarness
import TestSupport
import Testing

extension WholePlatform {
  /// What a pod of a tenant tries on the node, on a whole running platform: one pod, several tries.
  @Suite("Attacks of a pod on its node")
  struct TenantNodeAttacks {
    private static let exchange = """
      #define _GNU_SOURCE
      #include <fcntl.h>
      #include <stdio.h>
      #include <string.h>
      #include <sys/stat.h>
      #include <unistd.h>
      int main(int count, char **a) {
        if (count > 1 && !strcmp(a[1], "see")) return access(a[2], F_OK) ? 1 : 0;
        if (count > 1 && !strcmp(a[1], "plant")) { int f = open(a[2], O_WRONLY | O_CREAT, 0644); return f < 0; }
        if (chdir("/v") || mkdir("x", 0755) || symlink(a[1], "y")) return 1;
        for (;;) if (renameat2(AT_FDCWD, "x", AT_FDCWD, "y", RENAME_EXCHANGE)) return 2;
      }
      """

    @Test(
      "a volume's directory that is exchanged with a link shows nothing of the node, with a claim and with scratch space"
    )
    func subPath() async throws {
      let nagaya = try running()
      let shell = nagaya.shell
      let (secrets, tools) = ("\(nagaya.directory)/node-secrets", "\(nagaya.directory)/exchange")
      try await shell.succeed(
        """
        mkdir -m 700 \(secrets) && echo 1 > \(secrets)/flag && mkdir -p \(tools) && cat > \(tools).c <<'EOF'
        \(Self.exchange)
        EOF
        cc -static -o \(tools)/exchange \(tools).c &&
        nagaya image pack \(tools) --name nagaya.local/exchange:1 --cmd /exchange --output \(tools).tar &&
        nagaya image load \(tools).tar --state-dir \(nagaya.state) --run-dir \(nagaya.run) &&
        kubectl create namespace racing
        """)
      for volume in ["emptyDir: {}", "persistentVolumeClaim: {claimName: shared}"] {
        let victims = (0..<8).map { number in
          """
            - name: victim-\(number)
              image: nagaya.local/exchange:1
              command: [/exchange]
              args: [\(number % 2 == 0 ? "see, /m/flag" : "plant, /m/planted-\(number)")]
              volumeMounts: [{name: v, mountPath: /m, subPath: x}]

          """
        }.joined()
        try await shell.succeed(
          """
          kubectl apply -n racing -f - <<'EOF'
          apiVersion: v1
          kind: PersistentVolumeClaim
          metadata: {name: shared}
          spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 320Mi}}}
          ---
          apiVersion: v1
          kind: Pod
          metadata: {name: racing}
          spec:
            restartPolicy: Never
            terminationGracePeriodSeconds: 1
            initContainers:
            - name: swapper
              image: nagaya.local/exchange:1
              command: [/exchange]
              restartPolicy: Always
              args: ["\(secrets)"]
              volumeMounts: [{name: v, mountPath: /v}]
            containers:
          \(victims)
            volumes: [{name: v, \(volume)}]
          EOF
          """)
        let held = try await attempt(
          Attack(.pod, "RENAME_EXCHANGE beside starting containers (\(volume))", on: .nodeFiles)
        ) {
          func statuses(_ member: String) async throws -> [String] {
            let path = "{range .status.containerStatuses[*]}{.name}={.state.\(member)} {end}"
            return try await shell.succeed("kubectl get pod racing -n racing -o jsonpath='\(path)'")
              .split(separator: " ").map(String.init).filter { !$0.hasSuffix("=") }
          }
          var ended: [String] = []
          try await eventually("each container has run or was refused") {
            ended = try await statuses("terminated.exitCode")
            let waiting = try await statuses("waiting.reason").filter { $0.hasSuffix("CreateContainerConfigError") }
            return ended.count + waiting.count == 8
          }
          let saw = ended.filter { $0.hasSuffix("=0") && (Int($0.dropFirst("victim-".count).prefix(1)) ?? 0) % 2 == 0 }
          let names = try await shell.succeed("ls \(secrets)")
          return .check(saw.isEmpty && names == "flag\n", "\(ended.count) ran, saw: \(saw), there: \(names)")
        }
        #expect(held)
        try await shell.succeed("kubectl delete pod racing -n racing --timeout=60s", seconds: 70)
        #expect(try await shell("grep -c '/volumes/subpath/' /proc/self/mounts").out == "0\n")
        #expect(try await shell.succeed("ls \(secrets)") == "flag\n")
      }
      try await shell.succeed("kubectl delete namespace racing --timeout=60s", seconds: 70)
    }
  }
}
