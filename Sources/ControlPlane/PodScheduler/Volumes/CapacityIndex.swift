import JSONDocument
import KubernetesAPI

/// Finds what is published for a class on a node, without a look at every capacity for every node.
struct CapacityIndex {
  private struct Entry {
    var selector: LabelSelector
    var pool: NodeStorage.Pool
  }

  /// By class, and by one label that the capacity asks for.
  private var byLabel: [String: [String: [Entry]]] = [:]
  /// Those that ask for no label by its value.
  private var others: [String: [Entry]] = [:]

  /// - Parameter classes: only capacities of these storage classes.
  init(_ capacities: [KubernetesObject], of classes: Set<String>) {
    for capacity in capacities {
      guard let name = capacity["storageClassName"].string, classes.contains(name),
        let selector = Self.selector(of: capacity)
      else { continue }
      let entry = Entry(
        selector: selector,
        pool: NodeStorage.Pool(
          publishedFreeBytes: Self.freeBytes(of: capacity),
          maximumVolumeBytes: Self.bytes(capacity["maximumVolumeSize"])
        ))
      if let label = capacity["nodeTopology"]["matchLabels"].strings.min(by: { $0.key < $1.key }) {
        byLabel[name, default: [:]]["\(label.key)=\(label.value)", default: []].append(entry)
      } else {
        others[name, default: []].append(entry)
      }
    }
  }

  /// The largest of the capacities published for a class and node; without any, there is no space.
  func pool(of storageClass: String, on node: NodeState, reserved: Int64 = 0) -> NodeStorage.Pool {
    var entries = others[storageClass] ?? []
    if let labelled = byLabel[storageClass] {
      for (key, value) in node.labels { entries += labelled["\(key)=\(value)"] ?? [] }
    }
    var best = entries.filter { $0.selector.matches(node.labels) }.map(\.pool)
      .max { $0.publishedFreeBytes < $1.publishedFreeBytes }
    best?.reservedBytes = reserved
    return best ?? NodeStorage.Pool(publishedFreeBytes: 0, reservedBytes: reserved)
  }

  /// The nodes that a CSIStorageCapacity is about; `nil` if it names none.
  static func selector(of capacity: KubernetesObject) -> LabelSelector? {
    let topology = capacity["nodeTopology"]
    return topology.isNull ? nil : try? LabelSelector(json: topology)
  }

  /// What a CSIStorageCapacity says is free, in bytes.
  static func freeBytes(of capacity: KubernetesObject) -> Int64 { bytes(capacity["capacity"]) ?? 0 }

  private static func bytes(_ value: JSONValue) -> Int64? {
    (value.string.flatMap { Quantity($0)?.value } ?? value.int.map(Int64.init)).map { max(0, $0) }
  }
}
