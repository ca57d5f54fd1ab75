import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import LinuxSystem
import Logging
import NRI
import TestSupport
import Testing

@testable import NodeHooks

/// What hooks know of the API, with the rights that they have there.
struct PolicyInformerTests {
  private static let place = "/var/lib/nagaya-informers-\(UInt32.random(in: 0 ... .max))"

  /// A place where a volume is mounted, as a kubelet has it.
  private static func withVolume(_ body: @Sendable (String) async throws -> Void) async throws {
    let mount = "\(place)/volumes/csi/v1/mount"
    try Directory.make(mount)
    try Mounts.bind(place, at: mount)
    let result: Result<Void, any Error>
    do { result = .success(try await body(mount)) } catch { result = .failure(error) }
    try Mounts.unmount(mount)
    try Directory.removeTree(place)
    try result.get()
  }

  @Test func `classes and volumes are followed, and what they say holds at once`() async throws {
    try await AttackStage.with { stage in
      try await Self.withVolume { mount in
        let (root, source) = (stage.root, PolicySource())
        let informers = PolicyInformers(
          stage.server.client(as: .part("hooks")), source: source, logger: Logger(label: "informers"))
        let running = Task { try await informers.run() }
        try await informers.waitUntilSynced()
        let decider = HookDecider(source, kernel: KernelLimits(openFiles: nil, limitsDevices: true))
        @Sendable func limited(_ words: String...) async throws {
          try await eventually("the container is held to \(words)") {
            let lines = try decider.decide(
              .with { $0.namespace = AttackStage.mine }, .with { $0.mounts = [.with { $0.source = mount }] }
            ).lines
            return words.isEmpty ? lines.isEmpty : lines.count == 1 && words.allSatisfy(lines[0].contains)
          }
        }
        var slow = KubernetesObject(.storageClasses, name: "slow")
        slow["provisioner"] = "local.nagaya.dev"
        slow["parameters"] = ["local.nagaya.dev/readBytesPerSecond": "10M"]
        try await root.create(slow, as: .storageClasses)
        var gold = KubernetesObject(.volumeAttributesClasses, name: "gold")
        gold["driverName"] = "local.nagaya.dev"
        gold["parameters"] = ["local.nagaya.dev/readBytesPerSecond": "20M"]
        try await root.create(gold, as: .volumeAttributesClasses)
        try await limited()
        var volume = KubernetesObject(.persistentVolumes, name: "v1")
        volume.spec = [
          "capacity": ["storage": "1Gi"], "accessModes": ["ReadWriteOnce"], "storageClassName": "slow",
          "csi": ["driver": "local.nagaya.dev", "volumeHandle": "v1"],
        ]
        try await root.create(volume, as: .persistentVolumes)
        try await limited("rbps=10000000", "by storage class slow")
        #expect(source.takeChangedVolumes() == ["v1"])
        try await root.patch(
          .persistentVolumes, name: "v1", ["spec": ["volumeAttributesClassName": "gold"]])
        try await limited("rbps=20000000", "by volume attributes class gold")
        try await root.delete(.volumeAttributesClasses, name: "gold")
        try await limited("rbps=10000000", "by storage class slow")
        var bound = KubernetesObject(.nodePolicies, name: "bound")
        bound.spec = ["volumeIO": [["readBytesPerSecond": "5M"]]]
        try await root.create(bound, as: .nodePolicies)
        try await limited("rbps=5000000", "storage class slow, policy bound")
        try await root.delete(.nodePolicies, name: "bound")
        try await root.delete(.storageClasses, name: "slow")
        try await limited()
        running.cancel()
        _ = await running.result
      }
    }
  }
}
