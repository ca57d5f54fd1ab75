import PlatformHarness
import TestSupport
import Testing

extension WholePlatform {
  @Suite("Raw block volumes")
  struct BlockVolumeTests {
    @Test("a pod gets the device it claims, of the size it asked for, and keeps its bytes over a restart")
    func device() async throws {
      let nagaya = try running()
      let shell = nagaya.shell
      let manifest = """
        apiVersion: v1
        kind: PersistentVolumeClaim
        metadata: {name: disk}
        spec:
          accessModes: [ReadWriteOnce]
          volumeMode: Block
          resources: {requests: {storage: 64Mi}}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: raw}
        spec:
          terminationGracePeriodSeconds: 1
          containers:
          - name: raw
            image: nagaya.local/hello:1
            volumeDevices: [{name: disk, devicePath: /dev/disk}]
          volumes: [{name: disk, persistentVolumeClaim: {claimName: disk}}]
        """
      func start() async throws -> String {
        try await shell.succeed("kubectl apply -n blocks -f - <<'EOF'\n\(manifest)\nEOF")
        try await shell.succeed("kubectl wait pod raw -n blocks --for=condition=Ready --timeout=60s", seconds: 70)
        // The device as the container sees it.
        return try await shell.succeed(
          "for p in $(pgrep -x hello); do [ -b /proc/$p/root/dev/disk ] && echo -n /proc/$p/root/dev/disk && break; done"
        )
      }
      try await shell.succeed("kubectl create namespace blocks")
      let device = try await start()
      #expect(try await shell.succeed("blockdev --getsize64 \(device)") == "67108864\n")
      try await shell.succeed("echo -n 'kept bytes' | dd of=\(device) bs=512 conv=fsync,sync status=none")
      try await shell.succeed("kubectl delete pod raw -n blocks --timeout=60s", seconds: 70)
      let again = try await start()
      #expect(try await shell.succeed("head -c 10 \(again)") == "kept bytes")
      try await shell.succeed("kubectl delete namespace blocks --timeout=60s", seconds: 70)
      try await eventually("the volume is gone") { try await shell("kubectl get pv -o name").out.isEmpty }
    }
  }
}
