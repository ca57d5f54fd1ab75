import KubernetesAPI
import LinuxSystem
import NRI
import SwiftProtobuf

/// What of a container can be changed while it runs: what was asked for last, what is wanted now, and the way from one to the
/// other.
struct LiveResources: Sendable {
  /// One change after the other.
  let steps: [NRILinuxResources]

  init(_ adjustment: Adjustment) { steps = adjustment.resourceSteps }

  /// What the kernel holds a running container's devices to, whoever asked for it; else what the runtime says of it.
  init(present container: NRIContainer) {
    self.init(ioMax: Self.ioMax(of: container) ?? container.linux.resources.unified[VolumeDevices.file] ?? "")
  }

  /// - Parameter ioMax: a line for each device that is limited (cgroup v2, "IO Interface Files").
  init(ioMax: String) {
    steps = ioMax.split(separator: "\n").map { line in .with { $0.unified[VolumeDevices.file] = String(line) } }
  }

  /// `nil`: it can't be told, as where containers' processes are not seen or groups are of cgroup v1.
  private static func ioMax(of container: NRIContainer) -> String? {
    guard container.pid > 0, let groups = SmallFile.text("/proc/\(container.pid)/cgroup"),
      let group = groups.split(separator: "\n").first(where: { $0.hasPrefix("0::/") })?.dropFirst(3)
    else { return nil }
    return SmallFile.text("/sys/fs/cgroup\(group)/\(VolumeDevices.file)")
  }

  /// - Parameter bytes: what `bytes` was.
  init(bytes: [UInt8]) {
    steps = ((try? NRIUpdateContainersRequest(serializedBytes: bytes))?.update ?? []).map(\.linux.resources)
  }

  /// Few, and the same for the same resources.
  var bytes: [UInt8] {
    guard !steps.isEmpty else { return [] }
    var options = BinaryEncodingOptions()
    options.useDeterministicOrdering = true
    let request = NRIUpdateContainersRequest.with {
      $0.update = steps.map { step in .with { $0.linux.resources = step } }
    }
    return (try? request.serializedBytes(options: options)) ?? []
  }

  /// What to ask for so that a container has these resources instead of others; what is no longer wanted goes back to what
  /// the container had by itself.
  func changes(from previous: LiveResources, of container: NRIContainer) -> [NRILinuxResources] {
    guard steps != previous.steps else { return [] }
    let last = previous.steps.first ?? NRILinuxResources()
    var all = steps
    if all.isEmpty { all = [NRILinuxResources()] }
    let own = container.linux.resources
    if last.memory.hasLimit, !all[0].memory.hasLimit {
      all[0].memory.limit.value = own.memory.hasLimit && own.memory.limit.value > 0 ? own.memory.limit.value : -1
    }
    if last.cpu.hasQuota, !all[0].cpu.hasQuota {
      all[0].cpu.quota.value = own.cpu.hasQuota && own.cpu.quota.value > 0 ? own.cpu.quota.value : -1
      all[0].cpu.period.value = own.cpu.hasPeriod && own.cpu.period.value > 0 ? own.cpu.period.value : 100_000
    }
    if last.hasPids, !all[0].hasPids { all[0].pids.limit = own.hasPids && own.pids.limit > 0 ? own.pids.limit : -1 }
    let limited = Set(all.compactMap { $0.unified[VolumeDevices.file] }.compactMap(Self.device))
    for line in previous.steps.compactMap({ $0.unified[VolumeDevices.file] }) {
      guard let device = Self.device(line), !limited.contains(device) else { continue }
      all.append(.with { $0.unified[VolumeDevices.file] = VolumeIOLimits().line(of: device) })
    }
    return all.filter { $0 != NRILinuxResources() }
  }

  private static func device(_ line: String) -> String? { line.split(separator: " ").first.map(String.init) }
}
