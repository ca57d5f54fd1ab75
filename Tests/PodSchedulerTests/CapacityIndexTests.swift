import JSONDocument
import KubernetesAPI
import Testing

@testable import PodScheduler

struct CapacityIndexTests {
  private static func capacity(
    _ free: String, _ topology: JSONValue, largest: String? = nil, className: String = "fast"
  ) -> KubernetesObject {
    var capacity = KubernetesObject(
      .csiStorageCapacities, namespace: "n",
      name: "\(className) \(free) \(String(decoding: topology.encoded(), as: UTF8.self))")
    capacity["storageClassName"] = .string(className)
    capacity["capacity"] = .string(free)
    capacity["nodeTopology"] = topology
    if let largest { capacity["maximumVolumeSize"] = .string(largest) }
    return capacity
  }

  private static func node(_ labels: [String: String]) -> NodeState {
    var node = NodeState(name: "a")
    node.labels = labels
    return node
  }

  @Test func aNodeHasTheLargestOfWhatIsPublishedForIt() {
    let index = CapacityIndex(
      [
        Self.capacity("5Gi", ["matchLabels": ["host": "a", "zone": "x"]], largest: "4Gi"),
        Self.capacity("7Gi", ["matchLabels": ["host": "b"]]),
        Self.capacity("3Gi", ["matchExpressions": [["key": "host", "operator": "In", "values": ["a", "c"]]]]),
        Self.capacity("9Gi", ["matchLabels": ["host": "a"]], className: "slow"),
        Self.capacity("9Gi", .null), Self.capacity("9Gi", ["matchExpressions": [["key": "host", "operator": "Odd"]]]),
      ])
    func pool(_ labels: [String: String], of storageClass: String = "fast") -> NodeStorage.Pool {
      index.pool(of: storageClass, on: Self.node(labels), reserved: 1 << 30)
    }
    #expect(
      pool(["host": "a", "zone": "x"])
        == .init(publishedFreeBytes: 5 << 30, reservedBytes: 1 << 30, maximumVolumeBytes: 4 << 30))
    #expect(pool(["host": "a", "zone": "y"]) == .init(publishedFreeBytes: 3 << 30, reservedBytes: 1 << 30))
    #expect(pool(["host": "b"]).publishedFreeBytes == 7 << 30)
    #expect(pool(["host": "d"]) == .init(publishedFreeBytes: 0, reservedBytes: 1 << 30))
    #expect(pool(["host": "a", "zone": "x"], of: "slow").publishedFreeBytes == 9 << 30)
    #expect(pool(["host": "a", "zone": "x"], of: "none").publishedFreeBytes == 0)
  }
}
