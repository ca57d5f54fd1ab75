import Foundation
import Glibc
import OCI
import PlatformHarness
import Testing

@testable import nagaya

@Suite struct ImageCommandTests {
  /// A tree with one of everything that a directory can hold.
  private func makeTree(_ root: String) throws {
    try FileManager.default.createDirectory(atPath: "\(root)/bin", withIntermediateDirectories: true)
    try Data("#!/bin/sh\n".utf8).write(to: URL(fileURLWithPath: "\(root)/bin/run"))
    chmod("\(root)/bin/run", 0o4755)
    #expect(link("\(root)/bin/run", "\(root)/bin/walk") == 0)
    #expect(symlink("../bin/run", "\(root)/bin/link") == 0)
    #expect(mkfifo("\(root)/fifo", 0o600) == 0)
    try Data().write(to: URL(fileURLWithPath: "\(root)/" + String(repeating: "long-name-", count: 20)))
    try Data(repeating: 7, count: 3_000_000).write(to: URL(fileURLWithPath: "\(root)/big"))
  }

  @Test func `a directory becomes an image that others can read, the same each time`() async throws {
    try await withTemporaryDirectory { directory in
      try makeTree("\(directory)/tree")
      let run = CommandRunner()
      for name in ["one", "two"] {
        let result = await run(
          "image", "pack", "\(directory)/tree", "--name", "team.local/tree:1", "--cmd", "/bin/run", "--cmd", "-v",
          "--env",
          "A=1", "--port", "80", "-o", "\(directory)/\(name).tar")
        #expect(result.code == 0, "\(result.error)")
        #expect(result.out.contains("team.local/tree:1, 7 files"))
      }
      let bytes = try Data(contentsOf: URL(fileURLWithPath: "\(directory)/one.tar"))
      #expect(try Data(contentsOf: URL(fileURLWithPath: "\(directory)/two.tar")) == bytes)
      let images = try ImageArchiveReader.check(MemorySource(bytes))
      #expect(images.map(\.name) == ["team.local/tree:1"])
      // GNU tar unpacks the layer to the same tree.
      let script = """
        cd \(directory) && mkdir layout out && tar -xf one.tar -C layout &&
        tar -xzf "$(ls -S layout/blobs/sha256/* | head -1)" -C out && diff -r --no-dereference -x fifo tree out &&
        stat -c '%A %h' out/bin/run && readlink out/bin/link && test -p out/fifo
        """
      #expect(try await Shell().succeed(script) == "-rwsr-xr-x 2\n../bin/run\n")
    }
  }

  @Test func `extended attributes travel`() async throws {
    try await withTemporaryDirectory { directory in
      try FileManager.default.createDirectory(atPath: "\(directory)/t", withIntermediateDirectories: true)
      try Data([1]).write(to: URL(fileURLWithPath: "\(directory)/t/ping"))
      try await Shell().succeed(
        #"python3 -c 'import os,sys; os.setxattr(sys.argv[1], "user.note", b"x\0y")' \#(directory)/t/ping"#)
      let tree = try DirectoryTree("\(directory)/t", owner: (5, 6), keepsTimes: false)
      #expect(
        try tree.entries() == [
          TarEntry("ping", .file(size: 1), uid: 5, gid: 6, extendedAttributes: ["user.note": [0x78, 0, 0x79]])
        ])
    }
  }

  @Test func `what cannot be packed says so and leaves nothing behind`() async throws {
    try await withTemporaryDirectory { directory in
      let run = CommandRunner()
      let missing = await run("image", "pack", "\(directory)/no", "--name", "a.b/c:1", "-o", "\(directory)/o.tar")
      #expect(missing.code == 1)
      #expect(missing.error.contains("No such file"))
      try Data().write(to: URL(fileURLWithPath: "\(directory)/file"))
      #expect(
        await run("image", "pack", "\(directory)/file", "--name", "a.b/c:1", "-o", "\(directory)/o.tar").code == 1)
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["file"])
    }
  }

  @Test func `load refuses what is damaged before containerd sees it`() async throws {
    try await withTemporaryDirectory { directory in
      let file = "\(directory)/bad.tar"
      try Data("not an image".utf8).write(to: URL(fileURLWithPath: file))
      let result = await CommandRunner()("image", "load", file, "--engines", "/nowhere", "--run-dir", directory)
      #expect(result.code == 1)
      #expect(result.error.contains("this is not a tar archive"))
      try FileManager.default.createDirectory(atPath: "\(directory)/t", withIntermediateDirectories: true)
      _ = await CommandRunner()("image", "pack", "\(directory)/t", "--name", "a.b/c:1", "-o", file)
      let stopped = await CommandRunner()("image", "load", file, "--engines", "/nowhere", "--run-dir", directory)
      #expect(stopped.code == 1)
      #expect(stopped.error.contains("nagaya up"))
    }
  }
}
