import Foundation
import FoundationXML
import JSONDocument
import Placement
import Testing

@testable import PlacementReports

@Suite struct ReportTests {
  private func temporary(_ body: (String) async throws -> Void) async throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("nagaya-report-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try await body(path)
  }

  @Test func `A report is one page that needs nothing else, and its plots as SVG and PNG`() async throws {
    let result = try await StudyRunner().run(smallStudy())
    try await temporary { directory in
      let written = try await ReportFiles(directory: directory).write(result, command: "nagaya simulate <x>")
      let page = try String(contentsOfFile: written[0], encoding: .utf8)
      #expect(page.contains("A &lt;small&gt; study"))
      #expect(page.contains("nagaya simulate &lt;x&gt;"))
      #expect(page.components(separatedBy: "<svg ").count == 6)
      for outside in ["http://", "https://", "src=", "@import", "url("] {
        let found = page.replacingOccurrences(of: "http://www.w3.org/2000/svg", with: "").contains(outside)
        #expect(!found, "\(outside)")
      }
      let kinds = written.map { $0.split(separator: ".").last ?? "" }
      #expect(kinds == ["html", "json"] + Array(repeating: "svg", count: 5) + Array(repeating: "png", count: 5))
      for path in written {
        let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        if path.hasSuffix(".svg") { #expect(XMLParser(data: bytes).parse(), "\(path)") }
        if path.hasSuffix(".png") { #expect(bytes.starts(with: [0x89, 0x50, 0x4E, 0x47]) && bytes.count > 5000) }
        if path.hasSuffix(".json") { #expect(try JSONValue(parsing: bytes)["policies"].elements.count == 3) }
      }
    }
  }

  @Test func `Without the converter the failure names it and the remedy; all else is written`() async throws {
    let result = try await StudyRunner().run(smallStudy(seeds: [1]))
    try await temporary { directory in
      let files = ReportFiles(directory: directory, converter: PNGConverter(program: "no-such-converter"))
      let failure = await #expect(throws: PNGConverter.Failure.self) { try await files.write(result, command: "") }
      #expect(failure == .notInstalled(program: "no-such-converter"))
      #expect(failure?.remedy.contains("librsvg2-bin") == true)
      #expect(FileManager.default.fileExists(atPath: "\(directory)/index.html"))
    }
  }

  @Test func `A directory that cannot be written is named`() async throws {
    let result = try await StudyRunner().run(smallStudy(seeds: [1]))
    await #expect(throws: ReportFiles.Failure.self) {
      try await ReportFiles(directory: "/proc/no", converter: nil).write(result, command: "")
    }
  }

  @Test func `The table has a row for each policy, with intervals`() async throws {
    let table = StudyTable(try await StudyRunner().run(smallStudy()))
    #expect(table.head == ["POLICY", "PENDING", "PENDING ≥ 100 GiB", "STRANDED", "SLOTS"])
    #expect(table.rows.map { $0[0] } == ["default", "most-free", "random", "free moves", "bound"])
    #expect(table.rows.allSatisfy { $0.count == table.head.count && $0[1].contains("±") })
  }
}
