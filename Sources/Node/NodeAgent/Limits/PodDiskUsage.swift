import JSONDocument
import KubernetesAPI
import LinuxSystem

/// What a pod has on the node's own disk (`ephemeral-storage`): what its containers wrote into their root file systems, their
/// logs, and its `emptyDir` volumes.
struct PodDiskUsage: Hashable, Sendable {
  struct Part: Hashable, Sendable {
    var bytes: Int64 = 0
    var inodes = 0
  }

  /// Root file systems and logs, by container.
  var containers: [String: Part] = [:]
  /// `emptyDir` volumes, by volume.
  var volumes: [String: Part] = [:]
  /// Something is nested so deep that it can't be measured.
  var isTooDeep = false

  var bytes: Int64 { (containers.values.map(\.bytes) + volumes.values.map(\.bytes)).reduce(0, +) }
  var inodes: Int { (containers.values.map(\.inodes) + volumes.values.map(\.inodes)).reduce(0, +) }

  /// The directories of a pod, by what they belong to.
  struct Places: Hashable, Sendable {
    var containers: [String: [String]] = [:]
    var volumes: [String: String] = [:]
  }

  /// Walks through everything; no part further than to the limits, since more does not matter.
  init(measuring places: Places, mostBytes: Int64, mostInodes: Int) {
    for (name, directories) in places.containers {
      var measure = TreeMeasure()
      for directory in directories { measure.add(directory, atMost: mostBytes, inodes: mostInodes) }
      containers[name] = Part(bytes: measure.bytes, inodes: measure.inodes)
      isTooDeep = isTooDeep || measure.isTooDeep
    }
    for (name, directory) in places.volumes {
      var measure = TreeMeasure()
      measure.add(directory, atMost: mostBytes, inodes: mostInodes)
      volumes[name] = Part(bytes: measure.bytes, inodes: measure.inodes)
      isTooDeep = isTooDeep || measure.isTooDeep
    }
  }

  /// What of it is more than the pod may have, in the words of the field; `nil`: nothing.
  func excess(of pod: KubernetesObject, limits: NodeLimits) -> String? {
    for volume in pod.spec["volumes"].elements {
      let source = volume["emptyDir"]
      guard source["medium"].string != "Memory", let limit = source["sizeLimit"].quantity, limit.value > 0,
        let name = volume["name"].string, let used = volumes[name], used.bytes > limit.value
      else { continue }
      return
        "Usage of EmptyDir volume \"\(name)\" exceeds the limit \"\(source["sizeLimit"].string ?? "\(limit.value)")\"."
    }
    for container in pod.containers + pod.initContainers {
      let limit = container["resources"]["limits"]["ephemeral-storage"]
      guard let most = limit.quantity, let name = container["name"].string, let used = containers[name],
        used.bytes > most.value
      else { continue }
      return "Container \(name) exceeded its local ephemeral storage limit \"\(limit.string ?? "\(most.value)")\"."
    }
    if let total = PodResources.total(.limits, of: pod.spec)["ephemeral-storage"], bytes > Int64(clamping: total / 1000)
    {
      return
        "Pod ephemeral local storage usage exceeds the total limit of containers \(Quantity(bytes: Int64(clamping: total / 1000)))."
    }
    if inodes > limits.podInodes {
      return "Pod made more than \(limits.podInodes) files and directories on the node's disk."
    }
    if isTooDeep {
      return
        "Pod has directories nested more than \(TreeMeasure.deepest) deep on the node's disk: they can't be measured."
    }
    return nil
  }

  /// More than this of a part need not be known: its own limits, or the pod's.
  static func mostBytes(of pod: KubernetesObject) -> Int64 {
    let own = (pod.containers + pod.initContainers).compactMap {
      $0["resources"]["limits"]["ephemeral-storage"].quantity?.value
    }
    let volumes = pod.spec["volumes"].elements.compactMap { $0["emptyDir"]["sizeLimit"].quantity?.value }
    return (own + volumes).max() ?? .max
  }
}
