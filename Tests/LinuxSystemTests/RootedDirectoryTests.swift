import CLinux
import Foundation
import TestSupport
import Testing

@testable import LinuxSystem

@Suite struct RootedDirectoryTests {
  private static func withVolume(_ body: (String, RootedDirectory) throws -> Void) throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let volume = "\(directory.path)/volume"
    try Directory.make("\(directory.path)/outside")
    try SmallFile.write([7], to: "\(directory.path)/outside/secret")
    try Directory.make("\(volume)/in/deep")
    try SmallFile.write(Array("inside".utf8), to: "\(volume)/in/file")
    for (link, target) in [("out", "../outside"), ("absolute", "/etc"), ("own", "in"), ("in/up", "../../outside")] {
      #expect(symlink(target, "\(volume)/\(link)") == 0)
    }
    #expect(mkfifo("\(volume)/pipe", 0o600) == 0)
    try body(volume, RootedDirectory(volume))
  }

  @Test(
    "what leads out of the directory is refused",
    arguments: [
      ("..", EXDEV), ("../outside/secret", EXDEV), ("in/../../outside/secret", EXDEV), ("/etc/passwd", EXDEV),
      ("out/secret", ELOOP), ("out", ELOOP), ("absolute/passwd", ELOOP), ("in/up/secret", ELOOP), ("own/file", ELOOP),
      ("in/file/x", ENOTDIR), ("none", ENOENT),
    ])
  func refused(path: String, errno: Int32) throws {
    try Self.withVolume { (_: String, directory: RootedDirectory) throws in
      let failure = #expect(throws: SystemError.self) { try directory.find(path) }
      #expect(failure?.errno == errno)
    }
  }

  @Test("links that stay below are followed when that is wanted, no others")
  func links() throws {
    try Self.withVolume { (_: String, directory: RootedDirectory) throws in
      #expect(try directory.find("own/file", links: .within).read(limit: 10) == Array("inside".utf8))
      for path in ["out/secret", "absolute/passwd", "in/up/secret"] {
        #expect(throws: SystemError.self, "\(path)") { try directory.find(path, links: .within) }
      }
    }
  }

  @Test("what is missing is made with the directory's permissions, and nothing through a link")
  func made() throws {
    try Self.withVolume { (volume: String, directory: RootedDirectory) throws in
      #expect(chmod(volume, 0o777) == 0)
      #expect(try RootedDirectory(volume).findOrMake("./a//b").permissions == 0o777)
      #expect(try FileStatus(of: "\(volume)/a/b")?.permissions == 0o777)
      for path in ["out/new", "in/up/new", "../new", "a/../../new"] {
        #expect(throws: SystemError.self, "\(path)") { try directory.findOrMake(path) }
      }
      #expect(!FileStatus.exists("\(volume)/../new") && !FileStatus.exists("\(volume)/../outside/new"))
    }
  }

  @Test("only regular files are read, and no more than was said")
  func reading() throws {
    try Self.withVolume { (volume: String, directory: RootedDirectory) throws in
      let file = try directory.find("in/file")
      #expect(try file.read(first: 2) == Array("in".utf8))
      #expect(throws: SystemError("read", "\(volume)/in/file", errno: EFBIG)) { try file.read(limit: 5) }
      for path in ["pipe", "in"] {
        #expect(throws: SystemError("read", "\(volume)/\(path)", errno: EINVAL)) {
          try directory.find(path).read(first: 1)
        }
      }
      #expect(throws: SystemError("read", "/dev/zero", errno: EINVAL)) { try RootedFile("/dev/zero").read(first: 1) }
      #expect(throws: SystemError("open", "\(volume)/own", errno: ELOOP)) { try RootedFile("\(volume)/own") }
    }
  }

  @Test("what was found stays the same when its path leads elsewhere")
  func held() throws {
    try Self.withVolume { (volume: String, directory: RootedDirectory) throws in
      let found = try directory.find("in")
      #expect(nagaya_rename("\(volume)/in", "\(volume)/out", 2) == 0)
      let place = "\(volume)-place"
      try Directory.make(place)
      try found.bind(at: place)
      defer {
        try? Mounts.unmountAll(place)
        try? Directory.removeIfEmpty(place)
      }
      #expect(SmallFile.text("\(place)/file") == "inside")
      try found.bind(at: place)
      try Mounts.unmountAll(place)
      #expect(Directory.namesIfReadable(in: place) == [], "both mounts are gone")
    }
  }

  @Test("the removal of a tree does not enter what is mounted in it, of the same file system either")
  func removal() throws {
    try Self.withVolume { (volume: String, directory: RootedDirectory) throws in
      let tree = "\(volume)-tree"
      try Directory.make("\(tree)/mounted")
      try SmallFile.write([], to: "\(tree)/file")
      try directory.find("in").bind(at: "\(tree)/mounted")
      defer {
        try? Mounts.unmountAll("\(tree)/mounted")
        try? Directory.removeTree(tree)
      }
      #expect(throws: SystemError("rmdir", "\(tree)/mounted", errno: EBUSY)) { try Directory.removeTree(tree) }
      #expect(SmallFile.text("\(volume)/in/file") == "inside")
      #expect(try Directory.names(in: tree) == ["mounted"])
    }
  }
}
