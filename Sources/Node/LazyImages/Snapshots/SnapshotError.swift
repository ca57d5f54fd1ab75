import GRDB
import GRPCCore
import LayerStore
import LinuxSystem

/// Why a snapshotter refuses a call.
enum SnapshotError: Error, Hashable, CustomStringConvertible {
  case notFound(String)
  case parentNotFound(String)
  case parentNotCommitted(String)
  case alreadyExists(String)
  /// The layer is there and needs no unpacking: what `Prepare` answers instead of mounts.
  case layerExists(chainID: String)
  /// Commit of a view, or of what is committed.
  case notActive(String)
  /// Mounts of a committed snapshot.
  case notMountable(String)
  case hasChildren(String)
  case invalid(String)
  /// A lazily loaded layer below it can't be mounted.
  case layerUnavailable(String, reason: String)
  /// Several images name different blobs for it, and it can't be found out which is right.
  case layerUnproven(String, reason: String)
  case notRunning
  /// Another process works on the same root.
  case rootInUse(String)
  case unusableRoot(String, reason: String)
  case newerRecords(String, version: Int)

  var description: String {
    switch self {
    case .notFound(let name): "snapshot \(Self.short(name)) does not exist"
    case .parentNotFound(let name): "parent snapshot \(Self.short(name)) does not exist"
    case .parentNotCommitted(let name): "snapshot \(Self.short(name)) is not committed and can't be a parent; commit it"
    case .alreadyExists(let name): "snapshot \(Self.short(name)) exists already"
    case .layerExists(let chainID): "layer \(Self.short(chainID)) is there already; it needs no unpacking"
    case .notActive(let name): "snapshot \(Self.short(name)) is not active; only active snapshots are committed"
    case .notMountable(let name):
      "snapshot \(Self.short(name)) is committed and has no mounts; make a view or an active snapshot of it"
    case .hasChildren(let name): "cannot remove snapshot \(Self.short(name)): it has children; remove those first"
    case .invalid(let reason): reason
    case .layerUnavailable(let layer, let reason): "layer \(layer) can't be mounted: \(reason)"
    case .layerUnproven(let layer, let reason):
      "layer \(layer) has to be proven first, for another image has another blob of the same name; that failed: \(reason)"
    case .notRunning: "the snapshotter does not run (yet); try again"
    case .rootInUse(let root): "another process works on \(root); end it or choose another root"
    case .unusableRoot(let root, let reason): "\(root) can't hold snapshots: \(reason)"
    case .newerRecords(let path, let version):
      "\(path) is of format \(version), which is newer than this program; use the program that wrote it"
    }
  }

  /// Names come from outside and may be long.
  private static func short(_ name: String) -> String {
    name.utf8.count <= 512 ? "\"\(name)\"" : "\"\(String(decoding: name.utf8.prefix(512), as: UTF8.self))…\""
  }
}

extension RPCError {
  /// The code that containerd makes its own error of (its errdefs package).
  init(ofSnapshot error: any Error) {
    switch error {
    case let error as RPCError: self = error
    case let error as SnapshotError:
      let code: Code =
        switch error {
        case .notFound, .parentNotFound: .notFound
        case .alreadyExists, .layerExists: .alreadyExists
        case .parentNotCommitted, .invalid: .invalidArgument
        case .notActive, .notMountable, .hasChildren: .failedPrecondition
        case .layerUnavailable, .layerUnproven, .notRunning: .unavailable
        case .rootInUse, .unusableRoot, .newerRecords: .internalError
        }
      self.init(code: code, message: "\(error)")
    case let error as CallTimedOut: self.init(code: .deadlineExceeded, message: "\(error)")
    case let error as CallsExhausted: self.init(code: .resourceExhausted, message: "\(error)")
    case is CancellationError: self.init(code: .cancelled, message: "the call was cancelled; it is safe to repeat")
    case let error as LayerRefused: self.init(code: .failedPrecondition, message: "\(error)")
    case let error as SystemError where error.isOutOfSpace:
      self.init(code: .resourceExhausted, message: "\(error); free space on the snapshotter's disk")
    case let error as DatabaseError where error.resultCode == .SQLITE_FULL:
      self.init(code: .resourceExhausted, message: "\(error); free space on the snapshotter's disk")
    default: self.init(code: .internalError, message: "\(error)")
    }
  }
}
