import KubernetesAPI
import NRI

/// How fast a container may use the devices below its volumes: what the volumes' classes say, bounded by policies.
struct DeviceLimits {
  /// A line of `io.max` for each device.
  private(set) var lines: [String] = []
  /// Who says so: `storage class slow`, `policy small`.
  private(set) var sources: [String] = []

  /// Of each device the first rule of policies counts; of the classes of several volumes on one device, the lowest limit.
  /// - Parameter classLimits: what the classes of a volume say, and who of them.
  init(
    _ found: [VolumeDevices.Found], rules: [(policy: String, limit: NodePolicy.VolumeLimit)],
    storageClass: (String) -> String?, classLimits: (String) -> VolumeClasses.Limits?
  ) {
    let byDevice = Dictionary(grouping: found, by: \.device)
    for (device, items) in byDevice.sorted(by: { $0.key < $1.key }) {
      var limits = VolumeIOLimits()
      let volumes = items.compactMap(\.volume)
      for classes in volumes.compactMap(classLimits) {
        limits = limits.bounded(by: classes.limits)
        classes.sources.forEach { note($0) }
      }
      let classNames = Set(volumes.compactMap(storageClass))
      let rule = rules.first {
        $0.limit.storageClasses.isEmpty || !$0.limit.storageClasses.isDisjoint(with: classNames)
      }
      if let rule {
        limits = limits.bounded(by: rule.limit.limits)
        note("policy \(rule.policy)")
      }
      if !limits.isEmpty { lines.append(limits.line(of: device)) }
    }
  }

  private mutating func note(_ source: String) { if !sources.contains(source) { sources.append(source) } }
}
