import CLinux
import Glibc
import OCI

/// A directory of the file system as a tree to pack. Links are not followed; file systems mounted below are taken along.
final class DirectoryTree: FileTree {
  private let root: String
  private let owner: (uid: UInt32, gid: UInt32)?
  private let keepsTimes: Bool
  /// What an image cannot hold (sockets), filled by `entries`.
  private(set) var skipped: [String] = []

  /// - Parameter owner: of every member; `nil` keeps the owners.
  init(_ root: String, owner: (uid: UInt32, gid: UInt32)?, keepsTimes: Bool) throws {
    var status = stat()
    guard stat(root, &status) == 0 else { throw FileError("read", root) }
    guard status.st_mode & S_IFMT == S_IFDIR else { throw FileError("pack", root, code: ENOTDIR) }
    self.root = root
    self.owner = owner
    self.keepsTimes = keepsTimes
  }

  /// The file that has several names, by its device and number.
  private struct FileID: Hashable {
    let device: UInt64
    let number: UInt64
  }

  func entries() throws -> [TarEntry] {
    skipped = []
    var entries: [TarEntry] = []
    var firstNames: [FileID: String] = [:]
    try visit("", &entries, &firstNames)
    return entries
  }

  /// Members in the order of their names, so that the first name of a hard-linked file is always the same.
  private func visit(_ directory: String, _ entries: inout [TarEntry], _ firstNames: inout [FileID: String]) throws {
    for name in try names(in: directory) {
      let path = directory.isEmpty ? name : "\(directory)/\(name)"
      let full = "\(root)/\(path)"
      var status = stat()
      guard lstat(full, &status) == 0 else { throw FileError("read", full) }
      guard var kind = try kind(of: status, full) else {
        skipped.append("\(path) (a socket)")
        continue
      }
      if status.st_nlink > 1, status.st_mode & S_IFMT != S_IFDIR {
        let id = FileID(device: UInt64(status.st_dev), number: UInt64(status.st_ino))
        if let first = firstNames[id] { kind = .hardLink(target: first) } else { firstNames[id] = path }
      }
      entries.append(
        TarEntry(
          path, kind, mode: status.st_mode & 0o7777, uid: owner?.uid ?? status.st_uid, gid: owner?.gid ?? status.st_gid,
          modificationTime: keepsTimes ? Int64(status.st_mtim.tv_sec) : 0, extendedAttributes: try attributes(of: full))
      )
      if kind == .directory { try visit(path, &entries, &firstNames) }
    }
  }

  private func names(in directory: String) throws -> [String] {
    let full = directory.isEmpty ? root : "\(root)/\(directory)"
    guard let stream = opendir(full) else { throw FileError("read", full) }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let bytes = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
      guard let name = String(validating: bytes, as: UTF8.self) else {
        throw FileError(
          "pack (the name of a file is not UTF-8)", "\(full)/\(String(decoding: bytes, as: UTF8.self))", code: EILSEQ)
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// `nil` for sockets.
  private func kind(of status: stat, _ path: String) throws -> TarEntry.Kind? {
    let device = UInt64(status.st_rdev)
    // glibc's gnu_dev_major and gnu_dev_minor
    let major = UInt32((device >> 8 & 0xFFF) | (device >> 32 & ~0xFFF))
    let minor = UInt32((device & 0xFF) | (device >> 12 & 0xFFFF_FF00))
    switch status.st_mode & S_IFMT {
    case S_IFREG: return .file(size: Int64(status.st_size))
    case S_IFDIR: return .directory
    case S_IFLNK: return .symbolicLink(target: try target(of: path))
    case S_IFCHR: return .characterDevice(major: major, minor: minor)
    case S_IFBLK: return .blockDevice(major: major, minor: minor)
    case S_IFIFO: return .fifo
    default: return nil
    }
  }

  private func target(of path: String) throws -> String {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let length = readlink(path, &buffer, buffer.count)
    guard length >= 0 else { throw FileError("read the link", path) }
    return String(decoding: buffer.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Attributes that mean something in a container: capabilities and users' own. Access lists and labels of this
  /// machine's security modules do not travel.
  private func attributes(of path: String) throws -> [String: [UInt8]] {
    var names = [CChar](repeating: 0, count: 65_536)
    let length = nagaya_list_attributes(path, &names, names.count)
    guard length > 0 else { return [:] }
    var attributes: [String: [UInt8]] = [:]
    for bytes in names.prefix(length).split(separator: 0) {
      let name = String(decoding: bytes.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      guard name == "security.capability" || name.hasPrefix("user.") else { continue }
      var value = [UInt8](repeating: 0, count: 65_536)
      let size = nagaya_get_attribute(path, name, &value, value.count)
      guard size >= 0 else { throw FileError("read the attribute \(name) of", path, code: Int32(-size)) }
      attributes[name] = Array(value.prefix(size))
    }
    return attributes
  }

  func readContent(of entry: TarEntry, _ body: (ArraySlice<UInt8>) throws -> Void) throws {
    let file = try OpenFile("\(root)/\(entry.path)", O_RDONLY | O_NOFOLLOW)
    // A file that grows under way is found out by the writer, after one piece too many.
    while case let piece = try file.read(upTo: 1 << 20), !piece.isEmpty { try body(piece) }
  }
}
