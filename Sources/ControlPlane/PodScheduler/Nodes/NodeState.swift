import JSONDocument
import KubernetesAPI
import KubernetesClient

/// What the scheduler goes by of a node.
struct NodeState: Sendable, Hashable {
  var name: String
  var labels: [String: String] = [:]
  var taints: [Taint] = []
  var isUnschedulable = false
  var isReady = true
  /// `status.allocatable` in thousandths of units; what is not named is not there.
  var allocatable: [String: Int128] = [:]

  init(name: String) { self.name = name }

  init(_ node: KubernetesObject) {
    name = node.name
    labels = node.labels
    taints = node.spec["taints"].elements.map(Taint.init)
    isUnschedulable = node.spec["unschedulable"].bool ?? false
    isReady = node.isConditionTrue("Ready") && !node.isBeingDeleted
    for (resource, amount) in node.status["allocatable"].members {
      allocatable[resource] = PodRequests.amount(amount)
    }
  }
}
