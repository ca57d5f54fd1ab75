/// How user or group ids inside a container are ids of the host: `0:100000:65536`, several joined by commas
/// (user_namespaces(7), written by containerd into the labels `uidmapping` and `gidmapping`).
struct IDMapping: Sendable, Hashable {
  struct Range: Sendable, Hashable {
    var container: UInt32
    var host: UInt32
    var count: UInt32
  }

  let ranges: [Range]

  /// `nil` if the text is no mapping.
  init?(_ text: String) {
    var ranges: [Range] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let numbers = part.split(separator: ":", omittingEmptySubsequences: false).map { digits in
        digits.utf8.allSatisfy { (48...57).contains($0) } ? UInt32(digits) : nil
      }
      guard numbers.count == 3, let container = numbers[0], let host = numbers[1], let count = numbers[2], count > 0,
        !container.addingReportingOverflow(count - 1).overflow, !host.addingReportingOverflow(count - 1).overflow
      else { return nil }
      ranges.append(Range(container: container, host: host, count: count))
    }
    guard !ranges.isEmpty, ranges.count <= 340 else { return nil }  // what the kernel takes
    self.ranges = ranges
  }

  /// As the kernel wants it.
  var lines: String { ranges.map { "\($0.container) \($0.host) \($0.count)\n" }.joined() }

  /// The host's id for one of the container; `nil` if it is outside of the mapping.
  func host(_ id: UInt32) -> UInt32? {
    for range in ranges where id >= range.container && id - range.container < range.count {
      return range.host + (id - range.container)
    }
    return nil
  }
}

/// Both mappings of a snapshot whose container has its own user namespace.
struct IDMappings: Sendable, Hashable {
  let users: IDMapping
  let groups: IDMapping
  /// `uidmap=…` and `gidmap=…`, which containerd's mount code understands: it maps the lower directories, all at once by
  /// a second mount of the directory that they share. Mounts below that one are left out, so layers can't be mapped so.
  let options: [String]

  /// `nil` without such labels.
  init?(labels: [String: String]) throws(SnapshotError) {
    let (users, groups) = (labels[SnapshotLabel.uidMapping], labels[SnapshotLabel.gidMapping])
    if users == nil, groups == nil { return nil }
    guard let users, let groups, let userMapping = IDMapping(users), let groupMapping = IDMapping(groups),
      userMapping.host(0) != nil, groupMapping.host(0) != nil
    else {
      throw .invalid(
        "labels \(SnapshotLabel.uidMapping) and \(SnapshotLabel.gidMapping) must both be CONTAINER:HOST:COUNT, "
          + "joined by commas, and map 0")
    }
    self.users = userMapping
    self.groups = groupMapping
    options = ["uidmap=\(users)", "gidmap=\(groups)"]
  }
}
