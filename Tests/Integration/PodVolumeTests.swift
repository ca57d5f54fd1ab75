import PlatformHarness
import TestSupport
import Testing

extension WholePlatform {
  @Suite("Volumes as pods ask for them")
  struct PodVolumeTests {
    private static func pod(_ name: String, claim: String) -> String {
      """
      apiVersion: v1
      kind: Pod
      metadata: {name: \(name)}
      spec:
        terminationGracePeriodSeconds: 1
        securityContext: {runAsUser: 1234, fsGroup: 4711}
        containers:
        - name: hello
          image: nagaya.local/hello:1
          volumeMounts:
          - {name: data, mountPath: /data}
          - {name: scratch, mountPath: /scratch}
          - {name: own, mountPath: /own}
        volumes:
        - {name: data, persistentVolumeClaim: {claimName: \(claim)}}
        - {name: scratch, emptyDir: {}}
        - name: own
          ephemeral:
            volumeClaimTemplate:
              metadata: {labels: {kind: own}}
              spec:
                accessModes: [ReadWriteOnce]
                resources: {requests: {storage: 320Mi}}
      """
    }

    @Test("volumes are the pod's group's, an ephemeral one goes with its pod, and one for a single pod waits for it")
    func groupAndOwner() async throws {
      let nagaya = try running()
      let shell = nagaya.shell
      try await shell.succeed("kubectl create namespace wishes")
      func apply(_ manifest: String) async throws {
        try await shell.succeed("kubectl apply -n wishes -f - <<'EOF'\n\(manifest)\nEOF")
      }
      try await apply(
        """
        apiVersion: v1
        kind: PersistentVolumeClaim
        metadata: {name: data}
        spec:
          accessModes: [ReadWriteOncePod]
          resources: {requests: {storage: 320Mi}}
        """)
      try await apply(Self.pod("first", claim: "data"))
      try await shell.succeed("kubectl wait pod first -n wishes --for=condition=Ready --timeout=120s", seconds: 130)
      // As the container sees it; its processes are of the group, too.
      let process = try await shell.succeed(
        "for p in $(pgrep -x hello); do [ -d /proc/$p/root/own ] && echo -n /proc/$p && break; done")
      for volume in ["data", "scratch", "own"] {
        #expect(
          try await shell.succeed("stat -c '%g %A' \(process)/root/\(volume)") == "4711 drwxrwsrwx\n", "\(volume)")
      }
      #expect(try await shell.succeed("grep ^Groups: \(process)/status | grep -cw 4711") == "1\n")
      #expect(
        try await shell.succeed("kubectl get pvc -n wishes -l kind=own -o jsonpath='{.items[*].metadata.name}'")
          == "first-own")
      // The second pod's claim is taken; it goes on by itself when the first has ended.
      try await apply(Self.pod("second", claim: "data"))
      try await eventually("the second pod says why it waits") {
        try await shell("kubectl describe pod second -n wishes").out.contains(
          "persistentvolumeclaim \"data\" is ReadWriteOncePod and used by pod \"first\"")
      }
      try await shell.succeed("kubectl delete pod first -n wishes --timeout=60s", seconds: 70)
      try await shell.succeed("kubectl wait pod second -n wishes --for=condition=Ready --timeout=120s", seconds: 130)
      try await eventually("the first pod's own volume is gone with it") {
        try await shell("kubectl get pvc -n wishes -o jsonpath='{.items[*].metadata.name}'").out == "data second-own"
      }
      // What cannot be had is said, and growth that the class does not consent to is refused with words.
      try await apply(
        """
        apiVersion: v1
        kind: PersistentVolumeClaim
        metadata: {name: shared}
        spec:
          accessModes: [ReadWriteMany]
          resources: {requests: {storage: 320Mi}}
        """)
      try await eventually("the claim says why it waits") {
        try await shell("kubectl describe pvc shared -n wishes").out.contains(
          "access mode ReadWriteMany is not offered")
      }
      try await shell.succeed("kubectl delete namespace wishes --timeout=120s", seconds: 130)
      try await eventually("the volumes are gone") { try await shell("kubectl get pv -o name").out.isEmpty }
    }
  }
}
