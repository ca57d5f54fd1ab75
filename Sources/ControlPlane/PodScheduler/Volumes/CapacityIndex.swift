import JSONDocument
import KubernetesAPI
import Locking

/// Finds what is published for a class on a node, without a look at every capacity for every node.
struct CapacityIndex {
  private struct Entry {
    var selector: LabelSelector
    var pool: NodeStorage.Pool
  }

  /// Where an entry is found: by class, and by one label that the capacity asks for; `nil`: it asks for none by its value.
  private struct Place: Hashable {
    var storageClass: String
    var label: String?
  }

  private var places: [ObjectKey: Place] = [:]
  private var entries: [Place: [ObjectKey: Entry]] = [:]

  init(_ capacities: [KubernetesObject] = []) {
    for capacity in capacities { set(capacity) }
  }

  /// Takes a CSIStorageCapacity in, as it is now.
  mutating func set(_ capacity: KubernetesObject) {
    remove(capacity.key)
    guard let storageClass = capacity["storageClassName"].string, let selector = Self.selector(of: capacity) else {
      return
    }
    let label = capacity["nodeTopology"]["matchLabels"].strings.min { $0.key < $1.key }
    let place = Place(storageClass: storageClass, label: label.map { "\($0.key)=\($0.value)" })
    places[capacity.key] = place
    entries[place, default: [:]][capacity.key] = Entry(
      selector: selector,
      pool: NodeStorage.Pool(
        publishedFreeBytes: Self.freeBytes(of: capacity),
        maximumVolumeBytes: Self.bytes(capacity["maximumVolumeSize"])))
  }

  mutating func remove(_ key: ObjectKey) {
    guard let place = places.removeValue(forKey: key) else { return }
    entries[place]?[key] = nil
    if entries[place]?.isEmpty == true { entries[place] = nil }
  }

  /// The largest of the capacities published for a class and node; without any, there is no space.
  func pool(of storageClass: String, on node: NodeState, reserved: Int64 = 0) -> NodeStorage.Pool {
    let labels = [nil] + node.labels.map { "\($0.key)=\($0.value)" }
    var best = labels.flatMap { entries[Place(storageClass: storageClass, label: $0)]?.values.map { $0 } ?? [] }
      .filter { $0.selector.matches(node.labels) }.map(\.pool)
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

/// What is published now, kept by the capacities' events.
final class PublishedCapacities: Sendable {
  private let index = Mutex(CapacityIndex())

  var now: CapacityIndex { index.withLock { $0 } }
  func change(_ change: (inout CapacityIndex) -> Void) { index.withLock { change(&$0) } }
}
