import Glibc
import Testing

@testable import LinuxSystem

/// Mounts of data, by the real kernel (as root).
@Suite struct DataMountTests {
  private static let sealed = ["ro", "nosuid", "nodev", "noexec"]

  private func withDirectory(_ body: (String) throws -> Void) throws {
    let directory = try TemporaryDirectory()
    defer {
      try? Mounts.unmount("\(directory.path)/mnt", lazily: true)
      directory.remove()
    }
    try Directory.make("\(directory.path)/mnt")
    try body(directory.path)
  }

  private func options(_ target: String) throws -> String {
    let line = (SmallFile.text("/proc/self/mountinfo") ?? "").split(separator: "\n").last { $0.contains(" \(target) ") }
    return String(try #require(line))
  }

  @Test(arguments: [2, 40, 200]) func `an overlay of any number of layers`(count: Int) throws {
    try withDirectory { directory in
      var lowers: [String] = []
      for number in 0..<count {
        let lower = "\(directory)/layer-with-a-long-name-\(number)"
        try Directory.make(lower)
        try SmallFile.write([UInt8(truncatingIfNeeded: number)], to: "\(lower)/f\(number)")
        try SmallFile.write([UInt8(truncatingIfNeeded: number)], to: "\(lower)/same")
        lowers.append(lower)
      }
      let target = "\(directory)/mnt"
      try DataMount.mount(
        "overlay", at: target, type: "overlay",
        options: ["lowerdir=\(lowers.joined(separator: ":"))", "index=off", "xino=auto", "rw"])
      #expect(try Directory.names(in: target).count == count + 1)
      #expect(try SmallFile.read("\(target)/same") == [0])
      #expect(try SmallFile.read("\(target)/f\(count - 1)") == [UInt8(truncatingIfNeeded: count - 1)])
      let line = try options(target)
      #expect(Self.sealed.allSatisfy { line.contains($0) }, "\(line)")
      #expect(throws: SystemError.self) { try SmallFile.write([1], to: "\(target)/new") }
    }
  }

  @Test func `a directory shown elsewhere`() throws {
    try withDirectory { directory in
      try Directory.make("\(directory)/source")
      try SmallFile.write([7], to: "\(directory)/source/file")
      try DataMount.bind("\(directory)/source", at: "\(directory)/mnt")
      #expect(try SmallFile.read("\(directory)/mnt/file") == [7])
      let line = try options("\(directory)/mnt")
      #expect(Self.sealed.allSatisfy { line.contains($0) }, "\(line)")
      #expect(throws: SystemError.self) { try SmallFile.write([1], to: "\(directory)/mnt/new") }
      // The other place is as it was.
      try SmallFile.write([8], to: "\(directory)/source/file")
      #expect(try SmallFile.read("\(directory)/mnt/file") == [8])
    }
  }

  @Test func `what cannot be mounted is named`() throws {
    try withDirectory { directory in
      let lowers = (0..<300).map { "\(directory)/absent-\($0)" }.joined(separator: ":")
      #expect(throws: SystemError.self) {
        try DataMount.mount(
          "overlay", at: "\(directory)/mnt", type: "overlay", options: ["lowerdir=\(lowers)"])
      }
      #expect(throws: SystemError.self) { try DataMount.bind("\(directory)/absent", at: "\(directory)/mnt") }
    }
  }

  @Test func `lists of directories are taken apart as overlayfs does it`() {
    func parts(_ list: String) -> [String] { DataMount.lowerDirectories(list).map { "\($0.key) \($0.directory)" } }
    #expect(parts("/a:/b") == ["lowerdir+ /a", "lowerdir+ /b"])
    #expect(parts(#"/a\:b:/c\\d"#) == ["lowerdir+ /a:b", #"lowerdir+ /c\d"#])
    #expect(parts("/a:/b::/c::/d") == ["lowerdir+ /a", "lowerdir+ /b", "datadir+ /c", "datadir+ /d"])
    #expect(parts("") == [])
  }
}
