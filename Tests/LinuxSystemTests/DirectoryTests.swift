import Glibc
import Testing

@testable import LinuxSystem

@Suite struct DirectoryTests {
  @Test func `Only the directory itself gets the permissions that were asked for`() throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    try Directory.make("\(directory.path)/a/b/secret", permissions: 0o700)
    func permissions(_ path: String) -> mode_t {
      var status = stat()
      return lstat("\(directory.path)/\(path)", &status) == 0 ? status.st_mode & 0o777 : 0
    }
    #expect(permissions("a") == 0o755 && permissions("a/b") == 0o755 && permissions("a/b/secret") == 0o700)
    try SmallFile.write([], to: "\(directory.path)/file")
    #expect(throws: SystemError("mkdir", "\(directory.path)/file", errno: ENOTDIR)) {
      try Directory.make("\(directory.path)/file")
    }
  }

  @Test func `A tree goes with its links, but not with what they point to`() throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    try Directory.make("\(directory.path)/outside")
    try SmallFile.write([1], to: "\(directory.path)/outside/kept")
    try Directory.make("\(directory.path)/tree/deep/er")
    try SmallFile.write([1], to: "\(directory.path)/tree/deep/file")
    #expect(symlink("\(directory.path)/outside", "\(directory.path)/tree/link") == 0)
    try Directory.removeTree("\(directory.path)/tree")
    #expect(try Directory.names(in: directory.path) == ["outside"])
    #expect(FileStatus.exists("\(directory.path)/outside/kept"))
    try Directory.removeTree("\(directory.path)/tree")
    try Directory.removeTree("\(directory.path)/outside/kept")
    #expect(Directory.namesIfReadable(in: "\(directory.path)/outside") == [])
    #expect(Directory.namesIfReadable(in: "\(directory.path)/none") == [])
  }

  @Test func `A tree of any depth goes, with names that are no text`() throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    try Directory.make("\(directory.path)/tree")
    let odd: [CChar] = [0x6E, -1, -2, 0]
    var current = open("\(directory.path)/tree", O_RDONLY | O_DIRECTORY)
    // Deeper than a path may be long.
    for depth in 0..<3000 {
      let name = depth % 2 == 0 ? odd : [0x64, 0]
      try #require(mkdirat(current, name, 0o700) == 0)
      let next = openat(current, name, O_RDONLY | O_DIRECTORY)
      close(current)
      try #require(next >= 0)
      current = next
      let file = openat(current, [-3, 0], O_CREAT | O_WRONLY, 0o600)
      try #require(file >= 0 && write(file, "x", 1) == 1)
      if depth == 0 { try #require(linkat(current, [-3, 0], current, [-4, 0], 0) == 0) }
      close(file)
    }
    close(current)
    let usage = try Directory.usage(of: "\(directory.path)/tree")
    #expect(usage.inodes == 6001 && usage.bytes >= 3000 * 4096)
    try Directory.removeTree("\(directory.path)/tree")
    #expect(try Directory.names(in: directory.path) == [])
  }

  @Test func `A tree is given to a group, and neither what its links point to nor what is mounted below`() throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let tree = "\(directory.path)/tree"
    try Directory.make("\(tree)/deep/er")
    for (file, mode) in [("tree/deep/plain", 0o600), ("tree/tool", 0o4755), ("outside", 0o600)] as [(String, mode_t)] {
      try SmallFile.write([1], to: "\(directory.path)/\(file)")
      try #require(chmod("\(directory.path)/\(file)", mode) == 0)
    }
    #expect(symlink("\(directory.path)/outside", "\(tree)/link") == 0)
    try Directory.make("\(tree)/below")
    try Mounts.mount("tmpfs", at: "\(tree)/below", type: "tmpfs", options: ["mode=0700", "size=1048576"])
    func look(_ path: String) throws -> [UInt32] {
      var status = stat()
      try #require(lstat("\(directory.path)/\(path)", &status) == 0)
      return [status.st_gid, status.st_mode & 0o7777, status.st_uid]
    }
    #expect(try Directory.give(tree, toGroup: 4711, isSkippedWhereRootFits: true))
    #expect(try look("tree") == [4711, 0o2775, 0] && look("tree/deep/er") == [4711, 0o2775, 0])
    #expect(try look("tree/deep/plain") == [4711, 0o660, 0])
    // Who may run it as its owner still may.
    #expect(try look("tree/tool") == [4711, 0o4775, 0])
    #expect(try look("outside") == [0, 0o600, 0] && look("tree/link")[0] == 4711)
    #expect(try look("tree/below") == [0, 0o700, 0])
    // What is added later is looked at only if that is asked for.
    try SmallFile.write([1], to: "\(tree)/later")
    try #require(chown("\(tree)/later", 0, 0) == 0)
    #expect(try !Directory.give(tree, toGroup: 4711, isSkippedWhereRootFits: true))
    #expect(try look("tree/later")[0] == 0)
    #expect(try Directory.give(tree, toGroup: 4711, isSkippedWhereRootFits: false))
    #expect(try look("tree/later")[0] == 4711)
    // A root that fits no more counts as not done.
    try #require(chmod(tree, 0o755) == 0)
    #expect(try Directory.give(tree, toGroup: 4711, isSkippedWhereRootFits: true))
    #expect(try look("tree") == [4711, 0o2775, 0])
  }

  @Test func `A volume that is mounted below keeps its files`() throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let volume = "\(directory.path)/pod/volume"
    try Directory.make(volume)
    try Mounts.mount("tmpfs", at: volume, type: "tmpfs", options: ["mode=0777", "size=1048576"])
    defer { try? Mounts.unmount(volume) }
    try SmallFile.write([1, 2], to: "\(volume)/data")
    #expect(throws: SystemError("rmdir", volume, errno: EBUSY)) { try Directory.removeTree("\(directory.path)/pod") }
    #expect(try SmallFile.read("\(volume)/data") == [1, 2])
  }
}

@Suite struct SmallFileTests {
  @Test func `A file is written with its permissions, read up to a limit, and its end by lines`() throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let path = "\(directory.path)/file"
    try SmallFile.write(Array("first\nsecond\nthird\n".utf8), to: path, permissions: 0o666)
    var status = stat()
    #expect(lstat(path, &status) == 0 && status.st_mode & 0o777 == 0o666)
    #expect(try SmallFile.read(path, limit: 5) == Array("first".utf8))
    #expect(SmallFile.text(path) == "first\nsecond\nthird\n")
    #expect(SmallFile.tail(of: path, bytes: 9) == "third\n")
    #expect(SmallFile.tail(of: path, bytes: 100) == "first\nsecond\nthird\n")
    try SmallFile.write(Array("short".utf8), to: path)
    #expect(SmallFile.text(path) == "short")
    #expect(SmallFile.text("\(directory.path)/none") == nil)
    #expect(throws: SystemError("open", "\(directory.path)/none", errno: ENOENT)) {
      try SmallFile.read("\(directory.path)/none")
    }
    #expect(!SmallFile.isExecutable(path) && SmallFile.isExecutable("/bin/sh"))
    // Files of the kernel have no size and are read to their end all the same.
    #expect(SmallFile.text("/proc/self/status")?.contains("Pid:") == true)
  }

  @Test func `Links and directories are told apart without following`() throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    #expect(symlink(directory.path, "\(directory.path)/link") == 0)
    #expect(symlink("nowhere", "\(directory.path)/dangling") == 0)
    #expect(FileStatus.isDirectory(directory.path) && !FileStatus.isDirectory("\(directory.path)/link"))
    #expect(FileStatus.isSymbolicLink("\(directory.path)/link") && !FileStatus.isSymbolicLink(directory.path))
    #expect(FileStatus.exists("\(directory.path)/link") && !FileStatus.exists("\(directory.path)/dangling"))
  }
}
