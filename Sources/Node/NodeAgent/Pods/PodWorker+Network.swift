import CRI
import JSONDocument
import KubernetesAPI

/// The pod's place in the network's rules, before its first container and until its sandbox has stopped.
extension PodWorker {
  /// Puts a sandbox into the rules.
  /// - Returns: its address; `nil` if it has no link of its own to the node: it has to be made anew.
  /// - Throws: what the runtime or nftables say; no container may start then.
  func connect(_ sandbox: String) async throws -> String? {
    if pod.isHostNetwork { return context.node.address }
    let found = try await SandboxNetwork.endpoint(of: sandbox, runtime: context.runtime)
    guard let endpoint = found else { return nil }
    guard let zone = context.zone(pod.namespace) else {
      throw PodProblem("NetworkNotReady", "\"\(pod.namespace)\" is no name of a namespace")
    }
    try await context.firewall.admit(
      sandbox,
      FirewallRules.Member(
        endpoint: endpoint, namespace: pod.namespace, zone: zone, mayCallAPI: pod.mayCallAPI))
    return endpoint.address
  }

  /// Stops a sandbox, which takes its link away, and then takes it out of the rules.
  func disconnect(_ sandbox: String, within limit: Duration) async throws {
    _ = try await context.runtime.runtime.stopPodSandbox(
      .with { $0.podSandboxID = sandbox }, options: RuntimeClient.within(limit))
    try await context.firewall.withdraw(sandbox)
  }
}

/// What the runtime knows of sandboxes' links.
enum SandboxNetwork {
  static func endpoint(of sandbox: String, runtime: RuntimeClient) async throws -> PodEndpoint? {
    let answer = try await runtime.runtime.podSandboxStatus(
      .with {
        $0.podSandboxID = sandbox
        $0.verbose = true
      }, options: RuntimeClient.within(.seconds(60)))
    guard let info = answer.info["info"] else { return nil }
    return PodEndpoint(sandboxInfo: try JSONValue(parsing: info))
  }
}
