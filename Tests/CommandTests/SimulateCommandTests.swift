import Foundation
import JSONDocument
import Testing

@testable import nagaya

@Suite struct SimulateCommandTests {
  private static let workload = """
    title: Two sizes
    nodes: [{count: 4, size: 100Gi}]
    sizes: [{size: 5Gi, weight: 9}, {size: 60Gi}]
    lifetimes: [{mean: 1h}]
    requests: 600
    load: 0.7
    """

  private func withFiles(_ files: [String: String], _ body: (String) async throws -> Void) async throws {
    try await withTemporaryDirectory { directory in
      for (name, text) in files { try Data(text.utf8).write(to: URL(fileURLWithPath: "\(directory)/\(name)")) }
      try await body(directory)
    }
  }

  @Test func `a described workload gives a table, the same every time`() async throws {
    try await withFiles(["w.yaml": Self.workload]) { directory in
      let arguments = ["simulate", "\(directory)/w.yaml", "--policies", "default,most-free", "--seeds", "2"]
      let first = await CommandRunner().run(arguments)
      #expect(first.code == 0, "\(first.error)")
      #expect(first.out.hasPrefix("Two sizes: 4 nodes of 100 GiB, load 70 %, 600 requests, 2 seeds\n"))
      #expect(first.out.contains("POLICY"))
      #expect(first.out.contains("\nmost-free "))
      #expect(await CommandRunner().run(arguments).out == first.out)
    }
  }

  @Test func `a named case runs as JSON`() async throws {
    let result = await CommandRunner()(
      "simulate", "kubecon", "--requests", "500", "--seeds", "1", "--policies", "default", "-o", "json")
    #expect(result.code == 0, "\(result.error)")
    let json = try JSONValue(parsing: result.out)
    #expect(json["nodes"].int == 20)
    #expect(json["policies"][0]["policy"].string == "default")
    #expect(json["policies"][0]["runs"][0]["requests"].int == 375)
  }

  @Test func `a report names the command that makes it again`() async throws {
    try await withFiles(["w.yaml": Self.workload]) { directory in
      let result = await CommandRunner()(
        "simulate", "\(directory)/w.yaml", "--policies", "default,random", "--seeds", "2", "--report",
        "\(directory)/out", "--no-png")
      #expect(result.code == 0, "\(result.error)")
      let page = try String(contentsOfFile: "\(directory)/out/index.html", encoding: .utf8)
      #expect(page.contains("--policies default,random --seeds 2 --seed 1"))
    }
  }

  @Test(arguments: [
    (["simulate"], "name a case"), (["simulate", "kubecon", "--policies", "best"], "best-fit"),
    (["simulate", "/nowhere.csv"], "check the path"), (["simulate", "kubecon", "--load", "9"], "--load"),
    (["simulate", "kubecon", "--nodes", "3"], "--node-size"), (["advise"], "name a history"),
    (["advise", "/nowhere.json", "--nodes", "2", "--node-size", "1Ti"], "check the path"),
  ])
  func `wrong usage is told with the remedy`(arguments: [String], words: String) async {
    let result = await CommandRunner().run(arguments)
    #expect(result.code != 0)
    #expect(result.error.contains(words), "\(result.error)")
  }

  @Test func `a bad line is named; with --lenient it is counted`() async throws {
    let trace = "time,event,volume,size\n0,arrive,a,1Gi\n1,arrive,b,-1Gi\n2,delete,a,\n"
    try await withFiles(["t.csv": trace]) { directory in
      let arguments = [
        "simulate", "\(directory)/t.csv", "--nodes", "1", "--node-size", "10Gi", "--policies", "default",
      ]
      let strict = await CommandRunner().run(arguments)
      #expect(strict.code == 1)
      #expect(strict.error.contains("t.csv:3, column 4 (size): the size \"-1Gi\" is not above zero"))
      #expect(strict.error.contains("--lenient"))
      let lenient = await CommandRunner().run(arguments + ["--lenient"])
      #expect(lenient.code == 0, "\(lenient.error)")
      #expect(lenient.error.contains("warning: 1 line left out: size not above zero"))
    }
  }

  @Test func `advice says how many nodes, what fits, and which moves help`() async throws {
    let rows = (0..<30).map { "v\($0),\($0 * 3600),\(($0 + 8) * 3600),\($0 % 6 == 5 ? "60Gi" : "15Gi")" }
    let trace = (["volume,created,deleted,size"] + rows).joined(separator: "\n")
    try await withFiles(["t.csv": trace]) { directory in
      let result = await CommandRunner()(
        "advise", "\(directory)/t.csv", "--nodes", "3", "--node-size", "100Gi", "--size", "80Gi")
      #expect(result.code == 0, "\(result.error)")
      #expect(result.out.contains("such nodes keep Pending at or below 0.1 %"))
      #expect(result.out.contains("STILL FIT"))
      #expect(result.out.contains("\n80 GiB "))
    }
  }

  @Test func `pools come from the API's own objects`() async throws {
    let pools = """
      {"items":[{"spec":{"nodeName":"n1"},"status":{"capacityBytes":107374182400}},
      {"spec":{"nodeName":"n2"},"status":{"capacityBytes":107374182400}}]}
      """
    let trace = "volume,created,deleted,size\na,0,,10Gi\n"
    try await withFiles(["p.json": pools, "t.csv": trace, "bad.json": "{\"items\":[{}]}"]) { directory in
      let result = await CommandRunner()("advise", "\(directory)/t.csv", "--pools", "\(directory)/p.json", "-o", "json")
      let json = try JSONValue(parsing: result.out)
      #expect(json["nodes"].int == 2)
      let bad = await CommandRunner()("advise", "\(directory)/t.csv", "--pools", "\(directory)/bad.json")
      #expect(bad.error.contains("items[0]"))
    }
  }

  @Test func `the progress bar fills`() {
    #expect(ProgressBar.text(done: 0, of: 4, "") == "[........................]   0 %  ")
    #expect(ProgressBar.text(done: 4, of: 4, "fgd") == "[########################] 100 %  fgd")
  }
}
