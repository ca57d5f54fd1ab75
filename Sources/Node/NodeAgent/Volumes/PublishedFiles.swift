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
  }

  /// Makes the directory hold exactly these files. Does nothing if it does already.
  /// - Parameter files: by relative path; paths with `..` are refused.
  static func publish(_ files: [String: File], in directory: String) throws(FileError) {
    for path in files.keys where path.hasPrefix("/") || path.split(separator: "/").contains("..") || path.isEmpty {
      throw FileError("publish", path, errno: EINVAL)
    }
    try FileTree.makeDirectory(directory)
    let current = linkTarget("\(directory)/..data")
    if let current, isCurrent(files, "\(directory)/\(current)") { return }
    var number = current.flatMap { Int($0.dropFirst("..v".count)) } ?? 0
    repeat { number += 1 } while FileTree.exists("\(directory)/..v\(number)")
    let version = "..v\(number)"
    for (path, file) in files {
      if let slash = path.lastIndex(of: "/") {
        try FileTree.makeDirectory("\(directory)/\(version)/\(path[..<slash])")
      } else {
        try FileTree.makeDirectory("\(directory)/\(version)")
      }
      try FileTree.write(file.bytes, to: "\(directory)/\(version)/\(path)", mode: file.mode)
    }
    try FileTree.makeDirectory("\(directory)/\(version)")
    unlink("\(directory)/..data.new")
    guard symlink(version, "\(directory)/..data.new") == 0 else { throw FileError("symlink", directory) }
    guard rename("\(directory)/..data.new", "\(directory)/..data") == 0 else { throw FileError("rename", directory) }
    let tops = Set(files.keys.map { String($0.prefix { $0 != "/" }) })
    for name in FileTree.names(in: directory) where !name.hasPrefix("..") && !tops.contains(name) {
      unlink("\(directory)/\(name)")
    }
    for name in tops where symlink("..data/\(name)", "\(directory)/\(name)") != 0 && errno != EEXIST {
      throw FileError("symlink", "\(directory)/\(name)")
    }
    for name in FileTree.names(in: directory) where name.hasPrefix("..v") && name != version {
      try FileTree.remove("\(directory)/\(name)")
    }
  }

  private static func isCurrent(_ files: [String: File], _ version: String) -> Bool {
    var count = 0
    func visit(_ prefix: String) {
      for name in FileTree.names(in: "\(version)/\(prefix)") {
        let path = prefix.isEmpty ? name : "\(prefix)/\(name)"
        if FileTree.isDirectory("\(version)/\(path)") { visit(path) } else { count += 1 }
      }
    }
    visit("")
    return count == files.count
      && files.allSatisfy { path, file in
        guard let bytes = try? FileTree.read("\(version)/\(path)") else { return false }
        return bytes == file.bytes
      }
  }

  private static func linkTarget(_ path: String) -> String? {
    var buffer = [CChar](repeating: 0, count: 256)
    let count = readlink(path, &buffer, buffer.count)
    return count > 0 ? String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
  }
}
