import KubernetesAPI
import LinuxSystem

#if canImport(Glibc)
  import Glibc
#endif

/// Files of a config map, secret or projection in a directory, changed all at once.
///
/// The files are in a directory of their own per version; `..data` points to the current one and every file is a link
/// through it. Renaming a new `..data` over the old one changes all files in one step for every reader.
enum PublishedFiles {
  struct File: Hashable, Sendable {
    var bytes: [UInt8]
    /// Permission bits.
    var mode: UInt32
    /// Whose it is, by number.
    var user: UInt32 = 0
    var group: UInt32 = 0
  }

  /// What a published file holds now; `nil` if it is not there.
  static func bytes(of path: String, in directory: String) -> [UInt8]? {
    guard !path.isEmpty, !path.isAbsolutePath, !path.leadsUpwards else { return nil }
    return try? SmallFile.read("\(directory)/..data/\(path)", limit: 1 << 20)
  }

  /// Makes the directory hold exactly these files. Does nothing if it does already.
  /// - Parameter files: by relative path; paths with `..` are refused.
  static func publish(_ files: [String: File], in directory: String) throws(SystemError) {
    for path in files.keys where path.isAbsolutePath || path.leadsUpwards || path.isEmpty {
      throw SystemError("publish", path, errno: EINVAL)
    }
    try Directory.make(directory)
    let current = linkTarget("\(directory)/..data")
    if let current, isCurrent(files, "\(directory)/\(current)") { return }
    var number = current.flatMap { Int($0.dropFirst("..v".count)) } ?? 0
    repeat { number += 1 } while FileStatus.exists("\(directory)/..v\(number)")
    let version = "..v\(number)"
    for (path, file) in files {
      if let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) {
        try Directory.make("\(directory)/\(version)/\(path[..<slash])")
      } else {
        try Directory.make("\(directory)/\(version)")
      }
      let place = "\(directory)/\(version)/\(path)"
      try SmallFile.write(file.bytes, to: place, permissions: file.mode)
      if file.user != 0 || file.group != 0, lchown(place, file.user, file.group) != 0 {
        throw SystemError.last("chown", place)
      }
    }
    try Directory.make("\(directory)/\(version)")
    unlink("\(directory)/..data.new")
    guard symlink(version, "\(directory)/..data.new") == 0 else { throw SystemError.last("symlink", directory) }
    guard rename("\(directory)/..data.new", "\(directory)/..data") == 0 else {
      throw SystemError.last("rename", directory)
    }
    let tops = Set(files.keys.compactMap { $0.pathSegments.first.map(String.init) })
    for name in Directory.namesIfReadable(in: directory) where !name.hasPrefix("..") && !tops.contains(name) {
      unlink("\(directory)/\(name)")
    }
    for name in tops where symlink("..data/\(name)", "\(directory)/\(name)") != 0 && errno != EEXIST {
      throw SystemError.last("symlink", "\(directory)/\(name)")
    }
    for name in Directory.namesIfReadable(in: directory) where name.hasPrefix("..v") && name != version {
      try Directory.removeTree("\(directory)/\(name)")
    }
  }

  private static func isCurrent(_ files: [String: File], _ version: String) -> Bool {
    var count = 0
    func visit(_ prefix: String) {
      for name in Directory.namesIfReadable(in: "\(version)/\(prefix)") {
        let path = prefix.isEmpty ? name : "\(prefix)/\(name)"
        if FileStatus.isDirectory("\(version)/\(path)") { visit(path) } else { count += 1 }
      }
    }
    visit("")
    return count == files.count
      && files.allSatisfy { path, file in
        guard let bytes = try? SmallFile.read("\(version)/\(path)") else { return false }
        return bytes == file.bytes && hasAttributes(of: file, "\(version)/\(path)")
      }
  }

  private static func hasAttributes(of file: File, _ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && UInt32(status.st_mode) & 0o7777 == file.mode & 0o7777
      && status.st_uid == file.user && status.st_gid == file.group
  }

  private static func linkTarget(_ path: String) -> String? {
    var buffer = [CChar](repeating: 0, count: 256)
    let count = readlink(path, &buffer, buffer.count)
    return count > 0 ? String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
  }
}
