import Glibc

/// What may be done with a snapshot.
enum SnapshotKind: Int, Sendable, Hashable {
  /// Read only, on top of a committed one.
  case view = 1
  /// Is written to.
  case active = 2
  /// Never changes again; can be a parent.
  case committed = 3

  /// The word that filters know.
  var word: String {
    switch self {
    case .view: "view"
    case .active: "active"
    case .committed: "committed"
    }
  }
}

/// Nanoseconds since 1970, UTC.
struct Moment: Sendable, Hashable, Comparable {
  let nanoseconds: Int64

  static func < (left: Moment, right: Moment) -> Bool { left.nanoseconds < right.nanoseconds }

  static var now: Moment {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Moment(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
  }
}

/// What clients see of a snapshot.
struct SnapshotInfo: Sendable, Hashable {
  /// Key of an active snapshot or view, name of a committed one: all share one space.
  var name: String
  /// Empty: none.
  var parent: String
  var kind: SnapshotKind
  var created: Moment
  var updated: Moment
  var labels: [String: String]
}

/// Labels with a meaning for snapshotters (containerd, core/snapshots).
enum SnapshotLabel {
  /// Chain ID of the layer that is about to be unpacked into the snapshot.
  static let target = "containerd.io/snapshot.ref"
  static let uidMapping = "containerd.io/snapshot/uidmapping"
  static let gidMapping = "containerd.io/snapshot/gidmapping"
}
