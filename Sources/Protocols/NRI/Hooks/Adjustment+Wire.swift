extension Adjustment {
  /// Microseconds of the period in which CPU time is counted.
  private static let period: UInt64 = 100_000

  /// As runtimes want it.
  public var wire: NRIContainerAdjustment {
    var wire = NRIContainerAdjustment()
    for (_, entry) in entries.sorted(by: { $0.key < $1.key }) {
      switch entry.change {
      case .rlimit(let limit):
        wire.rlimits.append(
          .with {
            $0.type = limit.kind.wireName
            $0.hard = limit.hard
            $0.soft = limit.soft
          })
      case .environment(let name, let value):
        wire.env.append(
          .with {
            $0.key = name
            $0.value = value
          })
      case .mount(let mount):
        wire.mounts.append(
          .with {
            $0.destination = mount.destination
            $0.type = "bind"
            $0.source = mount.source
            $0.options = ["rbind", "rprivate", "nosuid", "nodev", mount.isReadOnly ? "ro" : "rw"]
          })
      case .annotation(let key, let value): wire.annotations[key] = value
      case .oomScore(let score): wire.linux.oomScoreAdj.value = score
      case .memory, .cpu, .pids, .unified: break
      }
    }
    if let resources = resourceSteps.first { wire.linux.resources = resources }
    return wire
  }

  /// What of it can be changed while a container runs, as runtimes want it, one change after the other: the kernel takes one
  /// line of a file at a time.
  public var resourceSteps: [NRILinuxResources] {
    var first = NRILinuxResources()
    var rest: [NRILinuxResources] = []
    for (_, entry) in entries.sorted(by: { $0.key < $1.key }) {
      switch entry.change {
      case .memory(let bytes): first.memory.limit.value = bytes
      case .cpu(let milli):
        first.cpu.period.value = Self.period
        // The kernel takes no less than a millisecond.
        let quota = milli.multipliedReportingOverflow(by: Int64(Self.period) / 1000)
        first.cpu.quota.value = quota.overflow ? -1 : max(quota.partialValue, 1000)
      case .pids(let count): first.pids.limit = count
      case .unified(let file, let value):
        let lines = value.split(separator: "\n").map(String.init)
        first.unified[file] = lines.first
        rest += lines.dropFirst().map { line in .with { $0.unified[file] = line } }
      case .rlimit, .environment, .mount, .annotation, .oomScore: break
      }
    }
    return first == NRILinuxResources() ? [] : [first] + rest
  }
}
