import BoundedNumbers
import JSONDocument
import KubernetesAPI
import KubernetesClient

/// How many pods each ReplicaSet of a Deployment should have next: one step of a rollout.
struct Rollout: Sendable {
  /// A ReplicaSet as far as sizes go.
  struct Generation: Sendable, Equatable {
    var name: String
    /// `spec.replicas`
    var size: Int
    var available: Int
    /// `status.replicas`: pods that are there.
    var present: Int

    init(name: String, size: Int, available: Int, present: Int? = nil) {
      self.name = name
      self.size = size
      self.available = available
      self.present = present ?? size
    }

    init(_ set: KubernetesObject) {
      name = set.name
      size = set.spec["replicas"].count ?? 1
      available = set.status["availableReplicas"].count ?? 0
      present = set.status["replicas"].count ?? 0
    }
  }

  /// The sizes to be, by the sets' names; only those that change.
  ///
  /// At every instant no more than `replicas + maxSurge` pods are asked for, and scaling down never takes the available
  /// ones below `replicas - maxUnavailable`.
  /// - Parameters:
  ///   - new: the set of the present template; `nil` while there is none (a paused Deployment).
  ///   - old: the others, oldest first.
  ///   - oldPodsRemain: pods of old sets exist (with Recreate they must all go first).
  static func step(spec: DeploymentSpec, new: Generation?, old: [Generation], oldPodsRemain: Bool) -> [String: Int] {
    var sizes: [String: Int] = [:]
    if spec.isPaused { return sizes }
    if spec.isRecreate {
      for set in old where set.size > 0 { sizes[set.name] = 0 }
      if let new, sizes.isEmpty, !oldPodsRemain, new.size != spec.replicas { sizes[new.name] = spec.replicas }
      return sizes
    }
    guard var new else { return sizes }
    let grown = grownSize(of: new, spec: spec, total: new.size + old.reduce(0) { $0 + $1.size })
    if grown != new.size {
      sizes[new.name] = grown
      new.size = grown
    }
    for (name, size) in shrunkSizes(of: old, new: new, spec: spec) { sizes[name] = size }
    return sizes
  }

  private static func grownSize(of new: Generation, spec: DeploymentSpec, total: Int) -> Int {
    if new.size >= spec.replicas { return spec.replicas }
    let room = spec.replicas + spec.maxSurge - total
    return room > 0 ? new.size + min(room, spec.replicas - new.size) : new.size
  }

  private static func shrunkSizes(of old: [Generation], new: Generation, spec: DeploymentSpec) -> [String: Int] {
    var sets = old
    let minimum = spec.replicas - spec.maxUnavailable
    let total = new.size + old.reduce(0) { $0 + $1.size }
    // New pods that are not available yet count as missing.
    var allowed = total - minimum - max(0, new.size - new.available)
    guard allowed > 0 else { return [:] }
    // Pods that are of no use go first; they cost no availability.
    for index in sets.indices where allowed > 0 && sets[index].size > sets[index].available {
      let count = min(allowed, sets[index].size - sets[index].available)
      sets[index].size -= count
      allowed -= count
    }
    var spare = new.available + old.reduce(0) { $0 + min($1.available, $1.size) } - minimum
    for index in sets.indices where spare > 0 && allowed > 0 {
      let count = min(spare, allowed, sets[index].size)
      sets[index].size -= count
      spare -= count
      allowed -= count
    }
    return Dictionary(
      zip(old, sets).filter { $0.size != $1.size }.map { ($1.name, $1.size) }, uniquingKeysWith: { _, last in last })
  }

  /// The sizes after `spec.replicas` changed in the middle of a rollout, or while paused: every set keeps its share.
  static func rescale(spec: DeploymentSpec, new: Generation?, old: [Generation]) -> [String: Int] {
    let sets = (new.map { [$0] } ?? []) + old.reversed()
    let active = sets.filter { $0.size > 0 }
    if active.count <= 1 {
      // Only one set has pods, or the newest is to get them.
      guard let only = active.first ?? sets.first, only.size != spec.replicas else { return [:] }
      return [only.name: spec.replicas]
    }
    let total = active.reduce(0) { $0 + $1.size }
    let target = spec.replicas > 0 ? spec.replicas + spec.maxSurge : 0
    var difference = target - total
    var sizes: [String: Int] = [:]
    // The largest first, so that what is left over by rounding goes where it weighs least.
    for set in active.sorted(by: { ($0.size, $0.name) > ($1.size, $1.name) }) where difference != 0 {
      let share =
        set.size.clampedMultiplying(by: target).clampedAdding(difference > 0 ? total - 1 : 0) / total - set.size
      let change = difference > 0 ? min(max(share, 0), difference) : max(min(share, 0), difference, -set.size)
      if change != 0 { sizes[set.name] = set.size + change }
      difference -= change
    }
    if difference > 0, let largest = active.max(by: { ($0.size, $0.name) < ($1.size, $1.name) }) {
      sizes[largest.name, default: largest.size] += difference
    }
    return sizes
  }
}
