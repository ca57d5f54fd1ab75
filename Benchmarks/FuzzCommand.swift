import ArgumentParser
import JSONDocument
import KubernetesAPI
import LinuxSystem
import OCI
import TestSupport
import VolumePools

/// Feeds mutated documents to every parser of bytes from outside. A trap or a broken promise ends the process; the input
/// that did it lies in the file that is named at the start.
struct FuzzCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fuzz",
    abstract:
      "Fuzz the parsers: JSON, YAML, protobuf, selectors, quantities, patches, mountinfo, tar, layers, registries, hooks."
  )

  @Option(help: "Seconds for each parser.")
  var seconds = 10

  @Option(help: "Seed of the mutations; the same seed gives the same inputs.")
  var seed: UInt64 = 1

  @Option(help: "Only parsers whose names contain this.")
  var only = ""

  func run() throws {
    let record = "/tmp/nagaya-fuzz-\(seed).input"
    report("the input under way is in \(record)")
    let inputs = try OpenFile(record, .truncate)
    var table = TextTable("parser", "cases", "accepted", "bytes")
    var total = 0
    for target in FuzzTarget.all where only.isEmpty || target.name.contains(only) {
      var random = SeededGenerator(seed: seed)
      var (cases, accepted, bytes) = (0, 0, 0)
      let end = ContinuousClock.now + .seconds(seconds)
      while ContinuousClock.now < end {
        let input = Self.mutation(of: target.corpus, using: &random)
        try inputs.write(input)
        try inputs.truncate(to: Int64(input.count))
        cases += 1
        bytes += input.count
        if try target.feed(input) { accepted += 1 }
      }
      total += cases
      table.add(target.name, "\(cases)", "\(accepted)", "\(bytes)")
    }
    try Directory.removeFile(record)
    table.show()
    Figure.show([
      Figure(name: "fuzz.cases", value: Double(total), unit: "count", digits: 0),
      Figure(name: "fuzz.failures", value: 0, unit: "count", digits: 0),
    ])
  }

  /// One of the corpus, with a few bytes or stretches changed, taken out, doubled, or replaced by telling ones.
  private static func mutation(of corpus: [[UInt8]], using random: inout SeededGenerator) -> [UInt8] {
    var input = corpus.randomElement(using: &random) ?? []
    let telling: [UInt8] = Array("{}[]\":,\\-+.eE0123456789 \n\t'&*!|>%@`/~\u{0}".utf8) + [0x7F, 0x80, 0xC0, 0xFF]
    for _ in 0..<Int.random(in: 1...8, using: &random) {
      guard !input.isEmpty else { return [telling.randomElement(using: &random) ?? 0] }
      let position = Int.random(in: input.indices, using: &random)
      let stretch = position..<min(input.count, position + Int.random(in: 1...32, using: &random))
      switch Int.random(in: 0..<6, using: &random) {
      case 0: input[position] = UInt8.random(in: 0...255, using: &random)
      case 1: input[position] = telling.randomElement(using: &random) ?? 0
      case 2: input.removeSubrange(stretch)
      case 3: input.insert(contentsOf: input[stretch], at: position)
      case 4: input.insert(telling.randomElement(using: &random) ?? 0, at: position)
      default: input.removeLast(min(input.count, Int.random(in: 1...64, using: &random)))
      }
    }
    return input
  }
}

/// A parser, what it is fed with at first, and what must hold of what it accepts.
struct FuzzTarget: Sendable {
  let name: String
  let corpus: [[UInt8]]
  /// - Returns: whether the input was accepted. Throws only if a promise is broken.
  let feed: @Sendable ([UInt8]) throws -> Bool

  struct BrokenPromise: Error, CustomStringConvertible {
    let description: String
  }

  private static let manifest = """
    {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","labels":{"a":"b"}},"spec":{"replicas":2,
    "selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c",
    "image":"x:1","env":[{"name":"E","value":"\\u00e9\\n"}],"resources":{"limits":{"cpu":"1.5","memory":"1Gi"}}}]}}}}
    """

  static var all: [FuzzTarget] { general + layers + registries + histories + hooks }

  private static let general: [FuzzTarget] = [
    FuzzTarget(name: "JSON", corpus: [Array(manifest.utf8), Array("[1,-2.5e3,null,true,\"\\ud83d\\ude00\"]".utf8)]) {
      input in
      guard let value = try? JSONValue(parsing: input) else { return false }
      let bytes = value.encoded()
      guard try JSONValue(parsing: bytes) == value else {
        throw BrokenPromise(description: "JSON is not the same after writing and reading")
      }
      // The scanner must find what the parser finds in canonical bytes.
      guard JSONScanner.value(at: ["metadata", "name"], in: bytes) ?? .null == value["metadata"]["name"] else {
        throw BrokenPromise(description: "the scanner and the parser disagree")
      }
      return true
    },
    FuzzTarget(
      name: "YAML", corpus: [Array("a: 1\nb:\n- x\n- {y: [1, 2]}\nc: &r \"t\"\nd: *r\n---\ne: |\n  text\n".utf8)]
    ) { input in
      (try? YAML.parseAll(String(decoding: input, as: UTF8.self))) != nil
    },
    FuzzTarget(
      name: "protobuf",
      corpus: [
        Array("k8s\0".utf8) + [0x0A, 0x0F, 0x0A, 0x02] + Array("v1".utf8) + [0x12, 0x09] + Array("Namespace".utf8)
          + [0x12, 0x08, 0x0A, 0x06, 0x0A, 0x04] + Array("demo".utf8) + [0x1A, 0x00, 0x22, 0x00]
      ]
    ) { input in
      (try? KubernetesProtobuf.decode(input, catalog: .standard)) != nil
    },
    FuzzTarget(name: "validation", corpus: [Array(manifest.utf8)]) { input in
      guard let value = try? JSONValue(parsing: input) else { return false }
      return ObjectValidator(catalog: .standard).check(value, as: "io.k8s.api.apps.v1.Deployment").isEmpty
    },
    FuzzTarget(
      name: "JSON patch",
      corpus: [Array(#"[{"op":"add","path":"/spec/a/-","value":1},{"op":"move","from":"/a","path":"/b~1c"}]"#.utf8)]
    ) { input in
      guard let patch = try? JSONValue(parsing: input), let target = try? JSONValue(parsing: manifest) else {
        return false
      }
      _ = JSONPatch.merge(patch, into: target)
      return (try? JSONPatch.apply(patch, to: target)) != nil
    },
    FuzzTarget(name: "selectors", corpus: [Array("app=web,tier in (a, b),!legacy,x!=y,n notin (c)".utf8)]) { input in
      guard let selector = try? LabelSelector(parsing: String(decoding: input, as: UTF8.self)) else { return false }
      guard try LabelSelector(parsing: selector.text) == selector else {
        throw BrokenPromise(description: "a selector is not the same after writing and reading")
      }
      return true
    },
    FuzzTarget(
      name: "quantities", corpus: ["1.5Gi", "500m", "1e3", "-0.25", "9223372036854775807"].map { Array($0.utf8) }
    ) { input in
      guard let quantity = Quantity(String(decoding: input, as: UTF8.self)) else { return false }
      return quantity.value >= Int64.min
    },
    FuzzTarget(name: "timestamps", corpus: [Array("2026-11-22T10:00:00.123456+09:00".utf8)]) { input in
      guard let time = Timestamp(String(decoding: input, as: UTF8.self)) else { return false }
      guard let again = Timestamp(time.microTime), again == time else {
        throw BrokenPromise(description: "a time is not the same after writing and reading")
      }
      return true
    },
    FuzzTarget(
      name: "mountinfo",
      corpus: [Array("36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n".utf8)]
    ) { input in (try? MountTable(parsing: input)) != nil },
    FuzzTarget(name: "lvm reports", corpus: [Array(report.utf8)]) { input in
      guard let report = try? LVMReport(parsing: input, group: "g") else { return false }
      guard report.freeBytes >= 0 else { throw BrokenPromise(description: "less than no space") }
      return true
    },
    FuzzTarget(name: "tar", corpus: [archive]) { input in
      var reader = TarReader(MemorySource(input), limits: TarLimits(entries: 1000, totalBytes: 1 << 20))
      do {
        while try reader.next() != nil { while try !reader.readContent().isEmpty {} }
        return true
      } catch { return false }
    },
  ]

  private static let report = """
    {"report":[{"vg":[{"vg_name":"g","vg_size":"8589934592","vg_extent_size":"4194304"}],"pv":[{"pv_name":"/dev/a",
    "pv_free":"4001366016","pv_allocatable":"allocatable","pv_missing":""}],"lv":[{"lv_name":"nagaya.a","lv_size":"16777216",
    "lv_tags":"nagaya,nagaya.state=ready","lv_attr":"Vwi-aotz--","pool_lv":"p","data_percent":"93.75"}],
    "seg":[{"lv_name":"nagaya.a","seg_pe_ranges":"/dev/a:0-3"}]}]}
    """

  /// A tar archive with one small file, made by hand: a header with its checksum, the content, two empty blocks.
  private static var archive: [UInt8] {
    var header = [UInt8](repeating: 0, count: 512)
    func put(_ text: String, at offset: Int) {
      header.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8)
    }
    put("dir/file", at: 0)
    put("0000644\0", at: 100)
    put("0000000\0", at: 108)
    put("0000000\0", at: 116)
    put("00000000005\0", at: 124)
    put("00000000000\0", at: 136)
    put("        0", at: 148)
    put("ustar\u{0}00", at: 257)
    let sum = header.reduce(0) { $0 + Int($1) }
    let digits = String(sum, radix: 8)
    put(String(repeating: "0", count: 6 - digits.count) + digits + "\0 ", at: 148)
    return header + Array("hello".utf8) + [UInt8](repeating: 0, count: 507 + 1024)
  }
}
