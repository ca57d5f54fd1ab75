import KubernetesAPI
import NIOCore
import NRI
import NodeHooks
import SwiftProtobuf
import TTRPC

/// Parsers of what a runtime says to node hooks, and of what pods and policies want of them.
extension FuzzTarget {
  static var hooks: [FuzzTarget] {
    [
      FuzzTarget(name: "ttrpc frames", corpus: [frames]) { input in
        // However the bytes are cut, the frames are the same.
        let whole = read(input, pieces: input.count)
        guard whole == read(input, pieces: 3) else {
          throw BrokenPromise(description: "other frames when the bytes are cut")
        }
        return !whole.isEmpty
      },
      FuzzTarget(name: "ttrpc trunks", corpus: [trunk]) { input in
        let whole = pieces(input, of: input.count)
        guard whole == pieces(input, of: 3) else {
          throw BrokenPromise(description: "other pieces when the bytes are cut")
        }
        return whole.contains { $0 != nil }
      },
      FuzzTarget(name: "NRI messages", corpus: messages) { input in
        // As a session reads whatever a runtime sends, in turn for each kind of message.
        let read: [any Message.Type] = [
          NRIConfigureRequest.self, NRISynchronizeRequest.self, NRIStateChangeEvent.self,
          NRIUpdateContainerRequest.self,
          NRIStopContainerRequest.self,
        ]
        return read.contains { (try? $0.init(serializedBytes: input)) != nil }
      },
      FuzzTarget(name: "injection annotations", corpus: [Array("certs, DEBUG".utf8)]) { input in
        let source = PolicySource()
        guard let file = try? PolicyFile(text: offers) else { return false }
        source.use(PolicySet(file.policies))
        let pod = NRIPodSandbox.with {
          $0.annotations = ["inject.nagaya.dev/container.c": String(decoding: input, as: UTF8.self)]
        }
        guard let decision = try? HookDecider(source).decide(pod, .with { $0.name = "c" }) else { return false }
        guard decision.adjustment.wire.mounts.allSatisfy({ $0.source == "/usr" }) else {
          throw BrokenPromise(description: "a mount that nobody offers")
        }
        return !decision.lines.isEmpty
      },
      FuzzTarget(name: "what hooks did", corpus: [Array(#"{"db":["pids 5, by policy p"],"web":[]}"#.utf8)]) { input in
        !HookLimits.read(String(decoding: input, as: UTF8.self)).isEmpty
      },
      FuzzTarget(name: "NRI requests", corpus: [request]) { input in
        guard let request = try? NRICreateContainerRequest(serializedBytes: input) else { return false }
        let decider = HookDecider(PolicySource(), kernel: KernelLimits(openFiles: 1024))
        guard let decision = try? decider.decide(request.pod, request.container) else { return true }
        guard decision.adjustment.wire.rlimits.allSatisfy({ $0.soft <= $0.hard }) else {
          throw BrokenPromise(description: "a soft limit above its hard limit")
        }
        return true
      },
      FuzzTarget(name: "ulimit annotations", corpus: annotations.map { Array($0.utf8) }) { input in
        let text = String(decoding: input, as: UTF8.self)
        guard
          let annotation = try? UlimitAnnotation(
            container: "c", in: ["ulimits.noderesource.dev/container.c": text])
        else { return false }
        let kinds = annotation.items.map(\.limit.kind)
        guard annotation.items.allSatisfy({ $0.limit.soft <= $0.limit.hard }), Set(kinds).count == kinds.count else {
          throw BrokenPromise(description: "limits that no kernel takes, or two of a kind")
        }
        return !kinds.isEmpty
      },
      FuzzTarget(name: "node policies", corpus: [Array(policies.utf8)]) { input in
        guard let file = try? PolicyFile(text: String(decoding: input, as: UTF8.self)) else { return false }
        _ = PolicySet(file.policies).matching(namespace: "shop-dev", tenant: "shop", labels: [:], container: "db")
        return !file.policies.isEmpty
      },
    ]
  }

  private static func read(_ bytes: [UInt8], pieces: Int) -> [TTRPCFrameReader.Item] {
    var reader = TTRPCFrameReader()
    var items: [TTRPCFrameReader.Item] = []
    for start in stride(from: 0, to: bytes.count, by: max(1, pieces)) {
      reader.append(ByteBuffer(bytes: bytes[start..<min(start + max(1, pieces), bytes.count)]))
      while let item = reader.next() { items.append(item) }
    }
    return items
  }

  /// `nil`: a piece that is too long, which ends the trunk.
  private static func pieces(_ bytes: [UInt8], of size: Int) -> [TrunkPieces.Piece?] {
    var reader = TrunkPieces()
    var found: [TrunkPieces.Piece?] = []
    for start in stride(from: 0, to: bytes.count, by: max(1, size)) {
      reader.append(ByteBuffer(bytes: bytes[start..<min(start + max(1, size), bytes.count)]))
      do { while let piece = try reader.next() { found.append(piece) } } catch { return found + [nil] }
    }
    return found
  }

  private static let trunk: [UInt8] = [
    0, 0, 0, 1, 0, 0, 0, 3, 7, 8, 9, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 5,
  ]

  private static let offers = """
    apiVersion: nagaya.dev/v1alpha1
    kind: NodePolicy
    metadata: {name: p}
    spec:
      env: [{name: DEBUG, value: "1", when: Asked}]
      mounts: [{name: certs, hostPath: /usr, mountPath: /c, when: Asked}]
    """

  private static let messages: [[UInt8]] = [
    (try? NRIConfigureRequest.with { ($0.runtimeName, $0.runtimeVersion) = ("containerd", "v2.1") }.serializedBytes())
      ?? [],
    (try? NRISynchronizeRequest.with {
      $0.pods = [.with { ($0.id, $0.name) = ("p", "pod") }]
      $0.containers = [.with { ($0.id, $0.podSandboxID) = ("c", "p") }]
      $0.more = true
    }.serializedBytes()) ?? [], request,
  ]

  private static let frames: [UInt8] = [0, 0, 0, 3, 0, 0, 0, 1, 1, 0, 7, 8, 9, 0, 0, 0, 0, 0, 0, 0, 3, 3, 5]

  private static let request: [UInt8] =
    (try? NRICreateContainerRequest.with {
      $0.pod.name = "pod"
      $0.pod.namespace = "shop-dev"
      $0.pod.annotations = ["ulimits.noderesource.dev/container.c": annotations[0]]
      $0.container.name = "c"
      $0.container.linux.resources.memory.limit.value = 1 << 30
    }.serializedBytes()) ?? []

  private static let annotations = [
    "- type: RLIMIT_NOFILE\n  soft: 1024\n  hard: 65536\n- {type: nproc, soft: 0x10, hard: 1e3}\n",
    #"[{"type": "CORE", "hard": 18446744073709551615, "soft": null}]"#,
  ]

  private static let policies = """
    apiVersion: v1
    kind: Namespace
    metadata: {name: shop-dev, labels: {nagaya.dev/tenant: shop}}
    ---
    apiVersion: nagaya.dev/v1alpha1
    kind: NodePolicy
    metadata: {name: p}
    spec:
      order: 5
      match: {tenants: [shop], namespaces: ["shop-*"], containers: [db], podSelector: {matchLabels: {a: b}}}
      ulimits: [{type: NOFILE, soft: 1, hard: 2, max: unlimited}]
      resources: {memory: {max: 4Gi}, cpu: {max: 500m}, pids: {default: 5, max: 9}}
      oomScoreAdj: {default: 5, min: -10}
      env: [{name: A, value: b, when: Asked}]
      mounts: [{name: m, hostPath: /a/b, mountPath: /c, readOnly: false}]
      volumeIO: [{storageClasses: [s], readBytesPerSecond: 1Mi}]
    ---
    {apiVersion: v1, kind: PersistentVolume, metadata: {name: v}, spec: {storageClassName: s, csi: {driver: local.nagaya.dev}}}
    ---
    apiVersion: storage.k8s.io/v1
    kind: StorageClass
    metadata: {name: s}
    provisioner: local.nagaya.dev
    parameters: {local.nagaya.dev/readBytesPerSecond: 20M}
    """
}
