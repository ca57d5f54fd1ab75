import Foundation
import PlatformHarness
import Testing

@testable import OCI

/// Our archives, read by the programs that others use.
@Suite struct RealToolsTests {
  func withFile(_ bytes: [UInt8], _ body: (String) async throws -> Void) async throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("nagaya-oci-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let file = directory.appendingPathComponent("archive.tar")
    try Data(bytes).write(to: file)
    try await body(file.path)
  }

  @Test func `GNU tar lists every member as we wrote it`() async throws {
    try await withFile(try archive(everyKind)) { path in
      let lines = try await Shell().succeed(
        "LC_ALL=C.UTF-8 TZ=UTC tar --numeric-owner --quoting-style=literal -tvf \(path)"
      ).split(separator: "\n")
      #expect(lines.count == everyKind.count)
      #expect(lines.contains { $0.hasPrefix("-rwsr-xr-x 0/0") && $0.hasSuffix("etc/motd") })
      #expect(lines.contains { $0.hasPrefix("crw-rw-rw-") && $0.contains("1,3") })
      #expect(lines.contains { $0.contains("4000000000/3000000") })
      #expect(lines.contains { $0.hasSuffix("長屋/メモ") })
      #expect(lines.contains { $0.contains("link to etc/motd") })
    }
  }

  @Test func `Python's reader agrees on long names and attributes`() async throws {
    try await withFile(try archive(everyKind)) { path in
      let script = """
        import sys, tarfile
        for m in tarfile.open(sys.argv[1]):
            x = sorted(k for k in m.pax_headers if k.startswith("SCHILY.xattr."))
            print(len(m.name), m.size, m.uid, int(m.mtime), ",".join(x))
        """
      let output = try await Shell().succeed("python3 -c '\(script)' \(path)")
      let expected = everyKind.map { entry, _ in
        "\(entry.path.unicodeScalars.count) \(entry.size) \(entry.uid) \(entry.modificationTime) "
          + entry.extendedAttributes.keys.map { "SCHILY.xattr." + $0 }.sorted().joined(separator: ",")
      }
      #expect(output.split(separator: "\n").map(String.init) == expected)
    }
  }

  @Test func `gzip reads our compressor and we read GNU tar's archives`() async throws {
    var sink = try GzipSink([UInt8]())
    try sink.write(try archive(everyKind))
    try sink.finish()
    try await withFile(sink.base) { path in try await Shell().succeed("gzip -t -S .tar \(path)") }
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("nagaya-oci-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    let deep = directory.appendingPathComponent("t/" + String(repeating: "directory-name/", count: 12))
    try FileManager.default.createDirectory(at: deep, withIntermediateDirectories: true)
    try Data("content".utf8).write(to: deep.appendingPathComponent("file"))
    for format in ["gnu", "ustar", "pax", "v7"] {
      let file = directory.appendingPathComponent("\(format).tar").path
      // v7 cannot hold the long name; it is given a short tree.
      let what = format == "v7" ? "t/directory-name/directory-name" : "t"
      let option = format == "v7" ? "--no-recursion" : ""
      try await Shell().succeed("tar -C \(directory.path) --format=\(format) \(option) -cf \(file) \(what)")
      let all = try members(of: Array(try Data(contentsOf: URL(fileURLWithPath: file))))
      if format == "v7" {
        #expect(all.map(\.0.path) == [what])
      } else {
        #expect(all.last?.0.path == "t/" + String(repeating: "directory-name/", count: 12) + "file", "\(format)")
        #expect(all.last?.1 == Array("content".utf8))
      }
    }
  }
}
