import Foundation
import Testing

@testable import nagaya

/// What `nagaya uninstall` refuses, and what it leaves alone; that of a whole instance is in the tests of the packages.
@Suite struct UninstallTests {
  private let run = CommandRunner()

  private func uninstall(_ directory: String, _ more: String...) async -> CommandResult {
    await run.run(["uninstall", "--state-dir", "\(directory)/state", "--run-dir", "\(directory)/run"] + more)
  }

  private func put(_ names: String..., in directory: String) throws {
    for name in names {
      let path = URL(fileURLWithPath: "\(directory)/state/\(name)")
      try FileManager.default.createDirectory(at: path.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data("x".utf8).write(to: path)
    }
  }

  private func names(_ directory: String) -> [String] {
    ((try? FileManager.default.subpathsOfDirectory(atPath: "\(directory)/state")) ?? []).sorted()
  }

  @Test func `data is removed only if somebody says so`() async throws {
    try await withTemporaryDirectory { directory in
      try put("pki/ca.crt", "pools/default/volumes/a.img", in: directory)
      let before = names(directory)
      let asked = await uninstall(directory, "--purge")
      #expect(asked.code == 1 && asked.error.contains("--yes") && asked.out.contains("1 volumes"))
      #expect(names(directory) == before)
      let kept = await uninstall(directory, "--yes")
      #expect(kept.code == 0 && kept.out.contains("is kept in"))
      #expect(names(directory) == before)
      let gone = await uninstall(directory, "--purge", "--yes")
      #expect(gone.code == 0 && gone.out.contains("is removed"))
      #expect(!FileManager.default.fileExists(atPath: "\(directory)/state"))
    }
  }

  @Test func `what is not Nagaya's stays`() async throws {
    try await withTemporaryDirectory { directory in
      try put("pki/ca.crt", "letters/first", in: directory)
      let result = await uninstall(directory, "--purge", "--yes")
      #expect(result.code == 0 && result.error.contains("letters"))
      #expect(names(directory) == ["letters", "letters/first"])
    }
  }

  @Test func `a directory of something else is refused`() async throws {
    try await withTemporaryDirectory { directory in
      try put("letters/first", in: directory)
      let result = await uninstall(directory, "--purge", "--yes")
      #expect(result.code == 1 && result.error.contains("holds no instance"))
      #expect(names(directory) == ["letters", "letters/first"])
    }
  }

  @Test func `a disk that somebody mounted for the pool stays mounted, emptied only by a purge`() async throws {
    try await withTemporaryDirectory { directory in
      try put("pki/ca.crt", "pools/x", in: directory)
      let place = "\(directory)/state/pools"
      try #require(mount("tmpfs", place, "tmpfs", 0, nil) == 0)
      defer { umount2(place, Int32(MNT_DETACH)) }
      try put("pools/default/volumes/a.img", in: directory)
      #expect(await uninstall(directory, "--yes").code == 0)
      #expect(names(directory).contains("pools/default/volumes/a.img"))
      let gone = await uninstall(directory, "--purge", "--yes")
      #expect(gone.code == 0 && gone.error.contains("pools, where a file system is mounted"))
      #expect(names(directory) == ["pools"])
    }
  }

  @Test func `what is in use is not removed, and nothing else is either`() async throws {
    try await withTemporaryDirectory { directory in
      try put("pki/ca.crt", "images/mine/file", in: directory)
      let place = "\(directory)/state/images/mine"
      try #require(mount("tmpfs", place, "tmpfs", 0, nil) == 0)
      defer { umount2(place, Int32(MNT_DETACH)) }
      try Data("x".utf8).write(to: URL(fileURLWithPath: "\(place)/held"))
      let holder = open("\(place)/held", O_RDONLY)
      defer { close(holder) }
      let result = await uninstall(directory, "--purge", "--yes")
      #expect(result.code == 1 && result.error.contains("can't be unmounted") && result.error.contains("fuser"))
      #expect(names(directory).contains("images/mine/held") && names(directory).contains("pki/ca.crt"))
    }
  }
}
