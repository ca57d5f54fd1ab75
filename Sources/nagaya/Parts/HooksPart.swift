import KubernetesAPI
import KubernetesClient
import NRI
import NodeAgent
import NodeHooks
import ServiceLifecycle

/// `nagaya serve node-hooks`: the hooks of an instance's containerd.
struct HooksPart {
  let process: PartProcess
  let options: PlatformOptions
  private var layout: Layout { process.layout }

  func services() async throws -> [any Service] {
    guard let identity = NRIIdentity(name: "nagaya-hooks", index: "50") else { return [] }
    let client = PartIdentity.hooks.client(layout)
    let source = PolicySource()
    let informers = PolicyInformers(
      client, source: source, builtIn: [NodeHookLimits.policy], logger: process.log("policies"))
    let events = EventRecorder(
      client, component: "node-hooks", host: options.resolvedNodeName, logger: process.log("hooks"))
    let runtime = ContainerdLayout(
      stateDirectory: layout.state, runDirectory: layout.run,
      enginesDirectory: try Installation.engines(options.engines))
    var configuration = NodeHooksConfiguration(runtimeSocket: runtime.nriSocket, identity: identity)
    configuration.statusSocket = layout.hooksSocket
    // Without what the API says nothing may be let through, so nobody is connected before.
    configuration.ready = { try await informers.waitUntilSynced() }
    let hooks = try NodeHooks(configuration, source: source, logger: process.log("hooks")) { notice in
      var pod = KubernetesObject(.pods, namespace: notice.namespace, name: notice.pod)
      pod.metadata["uid"] = .string(notice.podUID)
      events.record(.warning, about: pod, reason: notice.kind.rawValue, message: notice.message)
    }
    let startup = process.startup([
      .init("hooks") {
        // As long as it takes: to come anew would not help. containerd asks only once no container starts or stops any more,
        // which may be a pod's whole grace period: that is not waited for.
        while !hooks.counters.now.isRegistered { try await Task.sleep(for: .milliseconds(10)) }
        return layout.hooksSocket
      }
    ])
    let stuck = StuckRuntime(
      socket: runtime.nriSocket, mark: runtime.configurationFile, isConnected: { hooks.counters.now.isConnected },
      logger: process.log("hooks"))
    return [events, informers, hooks, stuck, startup]
  }
}

/// What pods may not raise by an annotation, unless a policy says so: the walls of this node's containers.
enum NodeHookLimits {
  static var policy: NodePolicy {
    var policy = NodePolicy(name: "node-limits")
    // Behind all that administrators write.
    policy.order = .max
    policy.ulimits = [
      .init(type: "NOFILE", soft: nil, hard: nil, most: NodeLimits.mostOpenFiles),
      // A core would be written where the kernel's pattern says, which is on the node.
      .init(type: "CORE", soft: nil, hard: nil, most: 0),
      // No process of a pod goes before those of others: no priority in real time, no nice below 0.
      .init(type: "RTPRIO", soft: nil, hard: nil, most: 0), .init(type: "NICE", soft: nil, hard: nil, most: 20),
      .init(type: "MSGQUEUE", soft: nil, hard: nil, most: 819_200),
    ]
    return policy
  }
}
