public import KubernetesAPI

/// Whether a pod may run on a node at all, whatever is free there: for who moves volumes, and their pods with them.
public enum PodFit {
  /// By cordon, taints, readiness, selector and required node affinity, as the scheduler sees them.
  public static func mayRun(_ pod: KubernetesObject, on node: KubernetesObject) -> Bool {
    var state = NodeState(node)
    // Only what the pod asks for could be missing, and it asks for nothing here.
    state.allocatable = [:]
    let question = SchedulingDecision.Question(pod: pod, requests: PodRequests(), volumes: .none, nodes: [])
    return SchedulingDecision.refusals(of: state, usage: ClusterUsage.Usage(), question).isEmpty
  }

  /// Thousandths of a core and bytes that a pod asks for.
  public static func compute(of pod: KubernetesObject) -> (milliCPU: Int64, memoryBytes: Int64) {
    let amounts = PodRequests(pod).amounts
    return (
      Int64(clamping: amounts["cpu"] ?? 0), Int64(clamping: (amounts["memory"] ?? 0) / 1000)
    )
  }

  /// The same of what a node gives to pods.
  public static func compute(ofNode node: KubernetesObject) -> (milliCPU: Int64, memoryBytes: Int64) {
    let amounts = NodeState(node).allocatable
    return (
      Int64(clamping: amounts["cpu"] ?? 0), Int64(clamping: (amounts["memory"] ?? 0) / 1000)
    )
  }
}
