import CLinux
import Glibc
import LayerStore
import LinuxSystem

/// Directories that a layer only implies: its archive has something in them, and says nothing of them, or only later.
///
/// overlayfs shows the attributes of the topmost directory. containerd, when it unpacks, gives an implied directory those that
/// it has in the layers below; a layer that is mounted as it is can't know them. So above such a layer stands a small
/// tree of directories, `NUMBER/a`, that have nothing but the right attributes.
extension SnapshotDirectories {
  /// Stands above the snapshot's files, if it is there.
  func attributes(_ id: Int64) -> String { "\(path)/\(id)/a" }
  func hasAttributes(_ id: Int64) -> Bool { FileStatus.exists(attributes(id)) }

  /// Makes the tree, if the layers below have any of the directories with other attributes than implied ones get.
  /// - Parameters:
  ///   - layer: the snapshot's files.
  ///   - traits: the layer's; of implied directories, parents come before what is in them.
  ///   - lowers: directories of the layers below, topmost first. Nobody writes there.
  func adoptAttributes(_ id: Int64, of layer: String, _ traits: LayerTraits, below lowers: [String])
    throws(SystemError)
  {
    let (implied, late) = (Set(traits.impliedDirectories), Set(traits.lateDirectories))
    let root = Array(attributes(id).utf8)
    func adopted(_ path: [UInt8]) throws(SystemError) -> ImpliedDirectory? {
      // The parents that the layer describes keep what it says.
      guard implied.contains(path) else {
        var own = try ImpliedDirectory(path, in: [layer])
        if late.contains(path), let below = try ImpliedDirectory(path, in: lowers) { own?.keep(below) }
        return own
      }
      if let below = try ImpliedDirectory(path, in: lowers) { return below }
      // One that is new has the group of what it is made in, if that hands it on.
      let parent = Array(path[..<(path.lastIndex(of: UInt8(ascii: "/")) ?? 0)])
      guard implied.contains(parent) || late.contains(parent), let above = try ImpliedDirectory(parent, in: lowers)
      else {
        return nil
      }
      return above.mode & S_ISGID == 0 ? nil : .new(group: above.group)
    }
    var wanted: [[UInt8]] = []
    for path in traits.impliedDirectories {
      if let below = try adopted(path), !below.isUsual { wanted.append(path) }
    }
    for path in traits.lateDirectories {
      guard let own = try ImpliedDirectory(path, in: [layer]), let merged = try adopted(path) else { continue }
      if merged.extended.count > own.extended.count { wanted.append(path) }
    }
    var made: Set<[UInt8]> = []
    var times: [(path: [UInt8], time: timespec)] = []
    for path in wanted {
      if made.isEmpty {
        try Directory.make("\(self.path)/\(id)", permissions: 0o700)
        try Directory.make(attributes(id), permissions: 0o755)
      }
      var prefix: [UInt8] = []
      for part in path.split(separator: UInt8(ascii: "/")) {
        prefix += (prefix.isEmpty ? [] : [UInt8(ascii: "/")]) + part
        guard made.insert(prefix).inserted else { continue }
        let source = try adopted(prefix) ?? .usual
        let target = root + [UInt8(ascii: "/")] + prefix
        try source.make(at: target)
        if let time = source.time { times.append((target, time)) }
      }
    }
    for (path, time) in times.reversed() {
      let both = [time, time]
      guard BytePath(path).call({ utimensat(AT_FDCWD, $0, both, AT_SYMLINK_NOFOLLOW) }) == 0 else {
        throw BytePath(path).failure("utimensat")
      }
    }
  }
}

/// A directory's attributes.
private struct ImpliedDirectory {
  var mode: mode_t = 0o755
  var user: uid_t = 0
  var group: gid_t = 0
  /// `nil`: that of unpacking.
  var time: timespec?
  var extended: [(name: [CChar], value: [UInt8])] = []

  static let usual = ImpliedDirectory()

  private init() {}

  static func new(group: gid_t) -> ImpliedDirectory {
    var directory = ImpliedDirectory()
    directory.group = group
    return directory
  }

  /// Whether an implied directory has these anyway.
  var isUsual: Bool { mode == 0o755 && user == 0 && group == 0 && extended.isEmpty }

  /// Finds it where containerd does: in the topmost layer that has something of the name.
  /// - Returns: `nil` if that is no directory, or there is none.
  init?(_ path: [UInt8], in lowers: [String]) throws(SystemError) {
    for lower in lowers {
      // Part by part: a symbolic link on the way leads nowhere.
      var prefix = Array(lower.utf8)
      var found: stat?
      for part in path.split(separator: UInt8(ascii: "/")) {
        prefix += [UInt8(ascii: "/")] + part
        var status = stat()
        if BytePath(prefix).call({ lstat($0, &status) }) != 0 {
          guard errno == ENOENT || errno == ENOTDIR else { throw BytePath(prefix).failure("lstat") }
          found = nil
          break
        }
        guard status.st_mode & S_IFMT == S_IFDIR else { return nil }
        found = status
      }
      guard let found else { continue }
      mode = found.st_mode & 0o7777
      (user, group, time) = (found.st_uid, found.st_gid, found.st_mtim)
      extended = try Self.extended(of: prefix)
      return
    }
    return nil
  }

  /// Takes over extended attributes that it does not have itself.
  mutating func keep(_ below: ImpliedDirectory) {
    let own = Set(extended.map(\.name))
    extended += below.extended.filter { !own.contains($0.name) }
  }

  func make(at path: [UInt8]) throws(SystemError) {
    let path = BytePath(path)
    guard path.call({ mkdir($0, 0o700) }) == 0 || errno == EEXIST else { throw path.failure("mkdir") }
    guard path.call({ lchown($0, user, group) }) == 0 else { throw path.failure("chown") }
    for (name, value) in extended {
      let answer = path.call { nagaya_set_attribute($0, name, value, value.count) }
      guard answer == 0 || answer == -ENOTSUP else { throw path.failure("setxattr", errno: -answer) }
    }
    guard path.call({ chmod($0, mode) }) == 0 else { throw path.failure("chmod") }
  }

  /// All but an administrator's, among which overlayfs' own are.
  private static func extended(of path: [UInt8]) throws(SystemError) -> [(name: [CChar], value: [UInt8])] {
    let path = BytePath(path)
    var list = [CChar](repeating: 0, count: 64 << 10)
    let length = Int(path.call { nagaya_list_attributes($0, &list, list.count) })
    guard length >= 0 else {
      if length == -Int(ENOTSUP) { return [] }
      throw path.failure("listxattr", errno: Int32(-length))
    }
    var all: [(name: [CChar], value: [UInt8])] = []
    for name in list[..<length].split(separator: 0).map({ Array($0) + [0] }) {
      if name.map({ UInt8(bitPattern: $0) }).starts(with: "trusted.".utf8) { continue }
      var value = [UInt8](repeating: 0, count: 64 << 10)
      let count = Int(path.call { nagaya_get_attribute($0, name, &value, value.count) })
      guard count >= 0 else { continue }
      all.append((name, Array(value[..<count])))
    }
    return all
  }
}

/// A path for system calls; names need not be UTF-8.
private struct BytePath {
  private let bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  func call<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
    let text = (bytes + [0]).map { CChar(bitPattern: $0) }
    return text.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return body("") }
      return body(base)
    }
  }

  func failure(_ call: String, errno number: Int32 = errno) -> SystemError {
    SystemError(call, String(decoding: bytes, as: UTF8.self), errno: number)
  }
}
