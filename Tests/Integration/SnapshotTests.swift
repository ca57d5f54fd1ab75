import PlatformHarness
import TestSupport
import Testing

extension WholePlatform {
  @Suite("Snapshots by kubectl")
  struct SnapshotTests {
    private static func claim(_ name: String, size: String = "320Mi", from source: String = "") -> String {
      """
      apiVersion: v1
      kind: PersistentVolumeClaim
      metadata: {name: \(name)}
      spec:
        accessModes: [ReadWriteOnce]
        resources: {requests: {storage: \(size)}}
      \(source.isEmpty ? "" : "  dataSource: {\(source)}")
      ---
      apiVersion: v1
      kind: Pod
      metadata: {name: \(name)}
      spec:
        terminationGracePeriodSeconds: 1
        containers:
        - name: hello
          image: nagaya.local/hello:1
          volumeMounts: [{name: data, mountPath: /data-\(name)}]
        volumes: [{name: data, persistentVolumeClaim: {claimName: \(name)}}]
      """
    }

    @Test("a snapshot keeps what a pod wrote; it is restored, larger, a claim is cloned, and nothing is left")
    func roundTrip() async throws {
      let nagaya = try running()
      let shell = nagaya.shell
      try await shell.succeed("kubectl create namespace snaps")
      func apply(_ manifest: String) async throws {
        try await shell.succeed("kubectl apply -n snaps -f - <<'EOF'\n\(manifest)\nEOF")
      }
      func ready(_ pod: String) async throws {
        try await shell.succeed("kubectl wait pod \(pod) -n snaps --for=condition=Ready --timeout=120s", seconds: 130)
      }
      /// The directory of a pod's volume, as its processes see it.
      func data(_ pod: String) async throws -> String {
        try await shell.succeed(
          "for p in $(pgrep -x hello); do d=/proc/$p/root/data-\(pod); [ -d $d ] && echo -n $d && break; done")
      }
      try await apply(Self.claim("data"))
      try await ready("data")
      let source = try await data("data")
      try await shell.succeed("echo before > \(source)/file")
      // Not even written to the disk yet: a snapshot is of what was written.
      try await apply(
        """
        apiVersion: snapshot.storage.k8s.io/v1
        kind: VolumeSnapshot
        metadata: {name: yesterday}
        spec: {source: {persistentVolumeClaimName: data}}
        """)
      try await shell.succeed(
        "kubectl wait vs yesterday -n snaps --for=jsonpath='{.status.readyToUse}'=true --timeout=60s", seconds: 70)
      try await shell.succeed("echo after > \(source)/file; touch \(source)/new")
      #expect(try await shell.succeed("nagaya get snapshots -n snaps").contains("yesterday"))
      #expect(try await shell.succeed("kubectl get vs -n snaps yesterday").contains("nagaya-local"))

      try await apply(
        Self.claim(
          "restored", size: "640Mi", from: "apiGroup: snapshot.storage.k8s.io, kind: VolumeSnapshot, name: yesterday"))
      try await apply(Self.claim("clone", from: "kind: PersistentVolumeClaim, name: data"))
      try await ready("restored")
      try await ready("clone")
      let (restored, clone) = (try await data("restored"), try await data("clone"))
      #expect(try await shell.succeed("cat \(restored)/file; ls \(restored)") == "before\nfile\n")
      #expect(try await shell.succeed("cat \(clone)/file; ls \(clone)") == "after\nfile\nnew\n")
      let blocks = try await shell.succeed("stat -f -c '%b' \(source) \(restored)").split(separator: "\n")
        .compactMap { Int($0) }
      #expect(blocks.count == 2 && blocks[1] > blocks[0] + blocks[0] / 2, "\(blocks)")
      #expect(
        try await shell.succeed("nagaya get volumes -n snaps -o wide").contains("VolumeSnapshot/yesterday"))
      try await shell.succeed("kubectl delete vs yesterday -n snaps --timeout=60s", seconds: 70)
      #expect(try await shell.succeed("cat \(restored)/file") == "before\n")
      try await shell.succeed("kubectl delete namespace snaps --timeout=120s", seconds: 130)
      try await eventually("the volumes are gone") { try await shell("kubectl get pv,vsc -o name").out.isEmpty }
    }
  }
}
