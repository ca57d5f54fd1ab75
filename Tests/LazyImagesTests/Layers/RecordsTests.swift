import Foundation
import LinuxSystem
import OCI
import Testing

@testable import LazyImages

@Suite struct RecordsTests {
  private func inDirectory(_ body: (String) throws -> Void) throws {
    let directory = "/tmp/nagaya-records-\(UUID().uuidString.prefix(8))"
    try Directory.make(directory)
    defer { try? Directory.removeTree(directory) }
    try body(directory)
  }

  private func digest(_ text: String) -> Digest { Digest(of: Array(text.utf8)) }

  @Test("records of images and decisions are there after a restart") func records() throws {
    try inDirectory { directory in
      let path = "\(directory)/images.json"
      var records = try ImageRecords(path: path)
      let image = try ImageReference("registry.test/web:1")
      let isNews = records.note(image, manifest: digest("m"), layers: [digest("a"), digest("b")])
      let decision = LayerDecision(layer: digest("a"), mode: .streamed, reason: "no table")
      let file = ImageRecordsFile(path: path)
      let older = records
      let (first, second) = (records.note(decision), records.note(decision))
      #expect(isNews && first && !second)
      try file.write(records, version: 2)
      try file.write(older, version: 1)
      let again = try ImageRecords(path: path)
      #expect(again.images == records.images)
      #expect(again.decisions == [digest("a"): decision])
    }
  }

  @Test("records that cannot be read are begun anew") func damagedRecords() throws {
    try inDirectory { directory in
      try DurableFile.write(Array("{\"images\": 7, ".utf8), to: "\(directory)/images.json")
      #expect(try ImageRecords(path: "\(directory)/images.json").images.isEmpty)
    }
  }

  @Test("a profile gives the ranges back as they were, in their order") func profiles() throws {
    try inDirectory { directory in
      let profiles = try StartProfiles(directory: directory)
      let reads: [Digest: [Range<Int64>]] = [digest("a"): [700_000..<708_000, 0..<4096], digest("b"): [0..<1]]
      try profiles.keep(reads, of: digest("m"))
      let again = try StartProfiles(directory: directory)
      #expect(again.ranges(of: digest("a"), in: digest("m")) == reads[digest("a")])
      #expect(again.ranges(of: digest("a"), in: digest("other")) == nil)
    }
  }

  @Test("a start that does not read a layer leaves what is known of it") func keptProfiles() throws {
    try inDirectory { directory in
      let profiles = try StartProfiles(directory: directory)
      try profiles.keep([digest("a"): [0..<1], digest("b"): [0..<1]], of: digest("m"))
      try profiles.keep([digest("b"): [8192..<9000]], of: digest("m"))
      #expect(profiles.ranges(of: digest("a"), in: digest("m")) == [0..<1])
      #expect(profiles.ranges(of: digest("b"), in: digest("m")) == [8192..<9000])
    }
  }

  @Test("a damaged profile is no profile", arguments: ["", "[", "{\"x\": [[1]]}", "{\"x\": [[9, 3], [-1, 4]]}"])
  func damagedProfile(text: String) throws {
    try inDirectory { directory in
      let content = text.replacing("x", with: digest("a").description)
      try DurableFile.write(Array(content.utf8), to: "\(directory)/\(digest("m").hex).json")
      let ranges = try StartProfiles(directory: directory).ranges(of: digest("a"), in: digest("m"))
      #expect(ranges?.isEmpty ?? true)
    }
  }
}
