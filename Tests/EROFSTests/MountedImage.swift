import EROFS
import Foundation
import LinuxSystem
import OCI
import PlatformHarness

/// A metadata image with its data devices in a directory of its own, mounted by this machine's kernel.
final class MountedImage {
  let directory: String
  var root: String { "\(directory)/mount" }
  var image: String { "\(directory)/image.erofs" }
  private let shell = Shell()

  /// - Parameter devices: files with the content, in order.
  init(_ tree: LayerTree, blockSize: EROFSOptions.BlockSize, devices: [String], mounted: Bool = true) throws {
    directory = "/tmp/nagaya-erofs-\(UInt64.random(in: 0 ... .max))"
    try FileManager.default.createDirectory(atPath: "\(directory)/mount", withIntermediateDirectories: true)
    let sizes = try devices.map {
      (try FileManager.default.attributesOfItem(atPath: $0)[.size] as? NSNumber)?.int64Value ?? 0
    }
    let writer = try EROFSWriter(tree, options: EROFSOptions(blockSize: blockSize, deviceBytes: sizes))
    var bytes: [UInt8] = []
    try writer.write(to: &bytes)
    guard writer.metadataBytes == Int64(bytes.count) else { throw CocoaError(.fileWriteUnknown) }
    try Data(bytes).write(to: URL(fileURLWithPath: image))
    guard mounted else { return }
    try Mounts.mount(image, at: root, type: "erofs", options: ["ro"] + devices.map { "device=\($0)" })
  }

  deinit {
    try? Mounts.unmount("\(directory)/mount", lazily: true)
    try? FileManager.default.removeItem(atPath: directory)
  }

  /// What erofs-utils think of the image.
  func check(devices: [String]) async throws {
    let options = devices.map { "--device=\($0)" }.joined(separator: " ")
    let engines = ProcessInfo.processInfo.environment["NAGAYA_ENGINES"] ?? "\(PlatformInstance.root)/.engines"
    guard FileManager.default.fileExists(atPath: "\(engines)/bin/fsck.erofs") else { return }
    try await shell.succeed("'\(engines)/bin/fsck.erofs' \(options) '\(image)'")
    try await shell.succeed("'\(engines)/bin/dump.erofs' -s \(options) '\(image)'")
  }
}

/// Every attribute and the content's digest of every file below a directory, one line each, in order.
func listing(of directory: String, content: Bool = true) async throws -> [String] {
  let script = """
    import os, sys, stat, hashlib
    root, content = sys.argv[1].encode(), sys.argv[2] == "1"
    def line(path):
        s = os.lstat(path)
        parts = [path[len(root):], oct(s.st_mode), s.st_uid, s.st_gid, s.st_mtime_ns, s.st_nlink]
        if not stat.S_ISDIR(s.st_mode): parts.append(s.st_size)
        if stat.S_ISLNK(s.st_mode): parts.append(os.readlink(path))
        if stat.S_ISCHR(s.st_mode) or stat.S_ISBLK(s.st_mode): parts.append((os.major(s.st_rdev), os.minor(s.st_rdev)))
        for name in sorted(os.listxattr(path, follow_symlinks=False)):
            parts.append((name, os.getxattr(path, name, follow_symlinks=False)))
        if content and stat.S_ISREG(s.st_mode):
            h = hashlib.sha256()
            with open(path, "rb") as f:
                while b := f.read(1 << 20): h.update(b)
            parts.append(h.hexdigest())
        print(*parts)
    line(root)
    for base, directories, files in os.walk(root):
        directories.sort()
        for name in sorted(directories + files): line(os.path.join(base, name))
    """
  return try await Shell().succeed("python3 -c '\(script)' '\(directory)' \(content ? 1 : 0)", seconds: 300)
    .split(separator: "\n").map(String.init)
}

/// What two directories differ in: the first few lines of each listing that the other does not have.
func differences(_ expected: String, _ found: String) async throws -> [String] {
  let (left, right) = (try await listing(of: expected), try await listing(of: found))
  let (inLeft, inRight) = (Set(left), Set(right))
  return left.filter { !inRight.contains($0) }.prefix(5).map { "- \($0)" }
    + right.filter { !inLeft.contains($0) }.prefix(5).map { "+ \($0)" } + (left.isEmpty ? ["nothing is there"] : [])
}

/// A directory below /tmp that goes with its last reference.
final class TemporaryDirectory {
  let path = "/tmp/nagaya-formats-\(UInt64.random(in: 0 ... .max))"
  init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
  deinit { try? FileManager.default.removeItem(atPath: path) }

  func write(_ bytes: some Sequence<UInt8>, to name: String) throws -> String {
    try Data(Array(bytes)).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
    return "\(path)/\(name)"
  }

  func read(_ name: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(name)"))) }
}
