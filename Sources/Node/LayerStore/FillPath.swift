import LinuxSystem

/// How the store learns that missing bytes are read.
public enum FillPath: String, Sendable, CaseIterable {
  /// The kernel asks before it reads a data file: nothing of ours is in the path of what is present.
  case fanotify
  /// The kernel reads data files of incomplete layers through us.
  case fuse
}

/// Which path is wanted.
public enum FillChoice: String, Sendable, CaseIterable {
  /// fanotify where the machine can do it and somebody else than our own processes holds the kernel's questions, otherwise
  /// FUSE: when all of ours are killed, reads fail there, and give zeros with fanotify.
  case auto
  case fanotify, fuse
}

/// Which path a store takes, and why.
public struct FillDecision: Sendable, Hashable {
  public var path: FillPath
  public var why: String
  /// Whether somebody else than our own processes holds what readers wait at: these may then all be killed.
  public var isHeldOutside = false
}

/// The path with what it needs.
enum FillDesk: Sendable {
  case events(EventDesk)
  case files(FUSEDesk, FUSESelfTest.Finding)

  var desk: any ReadDesk {
    switch self {
    case .events(let desk): desk
    case .files(let desk, _): desk
    }
  }

  /// What the keeper holds for the next process, by name.
  var shared: [(name: String, file: SharedDescriptor)] {
    switch self {
    case .events(let desk): [("group", desk.group.descriptor)]
    case .files(let desk, _): [("fuse", desk.connection.descriptor), ("fuse-mount", desk.connection.mount)]
    }
  }

  /// All such names: a keeper that holds nothing else is not needed.
  static let sharedNames: Set<Substring> = ["group", "fuse", "fuse-mount"]
}
