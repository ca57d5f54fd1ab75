import NRI
import Testing

@testable import NodeHooks

/// Limits of processes by annotation: case by case what NRI's sample plugin `ulimit-adjuster` does, and what it leaves to the
/// kernel.
struct UlimitAnnotationTests {
  private static let key = "ulimits.noderesource.dev/container.foo"
  private static let oldKey = "ulimits.nri.containerd.io/container.foo"

  private func limits(_ annotations: [String: String]) throws -> [Rlimit] {
    try UlimitAnnotation(container: "foo", in: annotations)?.items.map(\.limit) ?? []
  }

  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let annotations: [String: String]
    let limits: [Rlimit]
    var testDescription: String { name }

    init(_ name: String, _ annotations: [String: String], _ limits: Rlimit...) {
      (self.name, self.annotations, self.limits) = (name, annotations, limits)
    }

    /// The annotation of the container, with these lines.
    init(_ name: String, text: String, _ limits: Rlimit...) {
      (self.name, self.annotations, self.limits) = (name, [key: text], limits)
    }
  }

  static let taken = [
    Case("nothing", [:]), Case("somebody else's annotation", ["bar": "baz"]),
    Case("another container's", ["ulimits.noderesource.dev/container.bar": "- {type: NOFILE, soft: 1, hard: 2}"]),
    Case("the whole pod's", ["ulimits.noderesource.dev": "- {type: NOFILE, soft: 1, hard: 2}"]),
    Case("one", text: "\n- type: RLIMIT_NOFILE\n  soft: 123\n  hard: 456\n", Rlimit(.openFiles, soft: 123, hard: 456)),
    Case(
      "two",
      text: "\n- type: RLIMIT_NOFILE\n  soft: 123\n  hard: 456\n- type: RLIMIT_NPROC\n  soft: 456\n  hard: 789\n",
      Rlimit(.openFiles, soft: 123, hard: 456), Rlimit(.processes, soft: 456, hard: 789)),
    Case("no prefix", text: "- type: AS\n  soft: 123\n  hard: 456", Rlimit(.addressSpace, soft: 123, hard: 456)),
    Case("small letters", text: "- type: rlimit_core\n  soft: 123\n  hard: 456", Rlimit(.core, soft: 123, hard: 456)),
    Case("small letters without a prefix", text: "- {type: cpu, soft: 1, hard: 2}", Rlimit(.cpu, soft: 1, hard: 2)),
    Case("JSON", text: #"[{"type": "NOFILE", "hard": 9, "soft": 8}]"#, Rlimit(.openFiles, soft: 8, hard: 9)),
    Case("the old key", [oldKey: "- {type: NOFILE, soft: 1, hard: 2}"], Rlimit(.openFiles, soft: 1, hard: 2)),
    Case(
      "the new key before the old one",
      [key: "- {type: NOFILE, soft: 3, hard: 4}", oldKey: "- {type: NOFILE, soft: 1, hard: 2}"],
      Rlimit(.openFiles, soft: 3, hard: 4)),
    Case("an empty new key before the old one", [key: "", oldKey: "- {type: NOFILE, soft: 1, hard: 2}"]),
    Case("an empty text", text: ""), Case("null", text: "null"), Case("an empty list", text: "[]"),
    Case("a comment alone", text: "# nothing"),
    Case("soft is hard", text: "- {type: STACK, soft: 5, hard: 5}", Rlimit(.stack, soft: 5, hard: 5)),
    Case("what is missing is 0", text: "- {type: NOFILE, hard: 5}", Rlimit(.openFiles, soft: 0, hard: 5)),
    Case("both are missing", text: "- {type: NOFILE}", Rlimit(.openFiles, soft: 0, hard: 0)),
    Case("null is 0", text: "- {type: NOFILE, soft: null, hard: 5}", Rlimit(.openFiles, soft: 0, hard: 5)),
    Case("unknown members", text: "- {type: NOFILE, soft: 1, hard: 5, why: x}", Rlimit(.openFiles, soft: 1, hard: 5)),
    Case("members in capitals", text: "- {Type: NOFILE, SOFT: 1, Hard: 5}", Rlimit(.openFiles, soft: 1, hard: 5)),
    Case(
      "the kernel's infinity", text: "- {type: MEMLOCK, soft: 1, hard: 18446744073709551615}",
      Rlimit(.lockedMemory, soft: 1, hard: .max)),
    Case("other bases", text: "- {type: NOFILE, soft: 0x10, hard: 0o100}", Rlimit(.openFiles, soft: 16, hard: 64)),
    Case(
      "octal as YAML 1.1 has it", text: "- {type: NOFILE, soft: 010, hard: 1_000}",
      Rlimit(.openFiles, soft: 8, hard: 1000)),
    Case("a whole fraction", text: "- {type: NOFILE, soft: 1.0, hard: 1e3}", Rlimit(.openFiles, soft: 1, hard: 1000)),
  ]

  @Test(arguments: taken)
  func `is taken as ulimit-adjuster takes it`(_ row: Case) throws {
    #expect(try limits(row.annotations) == row.limits)
  }

  @Test(arguments: Rlimit.Kind.allCases)
  func `every limit of the kernel is known by its name`(_ kind: Rlimit.Kind) throws {
    #expect(try limits([Self.key: "- {type: \(kind.wireName), soft: 1, hard: 2}"]) == [Rlimit(kind, soft: 1, hard: 2)])
  }

  @Test(
    arguments: [
      // Refused by ulimit-adjuster, too.
      ("- {type: ULIMIT_NOFILE, soft: 123, hard: 456}", 1, "ULIMIT_NOFILE"),
      ("- {type: RLIMIT_FOO, soft: 123, hard: 456}", 1, "RLIMIT_FOO"),
      ("- type: RLIMIT_NICE\n  soft: 456\n  hard: 789\n- type: RLIMIT_BAR\n  soft: 123\n  hard: 456", 4, "RLIMIT_BAR"),
      ("- type: RLIMIT_NOFILE\n  hard: 0\n  soft: 100", 1, "hard limit 0 of NOFILE is below its soft limit 100"),
      ("- {type: MEMLOCK, hard: 100, soft: 99}\n- {type: NOFILE, soft: 100}", 2, "below its soft limit"),
      ("- {soft: 1, hard: 2}", 1, "no type"), ("- {type: null, soft: 1, hard: 2}", 1, "no type"),
      ("- {type: 5, soft: 1, hard: 2}", 1, "no type"), ("- {type: [NOFILE], soft: 1, hard: 2}", 1, "no type"),
      ("- {type: NOFILE, soft: -1, hard: 2}", 1, "soft of NOFILE"),
      ("- {type: NOFILE, soft: 1.5, hard: 2}", 1, "soft of NOFILE"),
      ("- type: NOFILE\n  soft: 1\n  hard: \"2\"", 3, "hard of NOFILE"),
      ("- {type: NOFILE, soft: 1, hard: 18446744073709551616}", 1, "hard of NOFILE"),
      ("- {type: NOFILE, soft: 1, hard: unlimited}", 1, "hard of NOFILE"),
      ("- {type: NOFILE, soft: true, hard: 2}", 1, "soft of NOFILE"),
      ("- {type: NOFILE, soft: [1], hard: 2}", 1, "soft of NOFILE"),
      ("NOFILE=5", 1, "must be a list"), ("{type: NOFILE, soft: 1, hard: 2}", 1, "must be a list"),
      ("- NOFILE", 1, "must have type"), ("- {type: NOFILE", nil, "no YAML"), ("\t- x", nil, "no YAML"),
      // The runtime would refuse the adjustment, without words about the annotation.
      ("- {type: NOFILE, soft: 1, hard: 2}\n- {type: nofile, soft: 1, hard: 3}", 2, "set before, on line 1"),
    ] as [(String, Int?, String)])
  func `is refused with annotation, line and reason`(_ text: String, _ line: Int?, _ reason: String) throws {
    let fault = #expect(throws: UlimitAnnotation.Fault.self) { try limits([Self.key: text]) }
    #expect(fault?.key == Self.key)
    if let line { #expect(fault?.line == line) }
    #expect(fault?.description.contains(reason) == true, "\(String(describing: fault))")
    #expect(fault?.description.contains(Self.key) == true)
  }

  /// Each would cost much more than it is long.
  @Test(
    arguments: [
      String(repeating: "- ", count: 20_000), String(repeating: "[", count: 20_000),
      "a: &a [1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b,*b]",
      String(repeating: "x", count: 100_000), "\u{0}",
      "- {type: NOFILE, soft: 1, hard: 2}\n---\n- {type: NPROC, soft: 1, hard: 2}",
    ])
  func `whatever is written there costs little and ends with a reason`(_ text: String) {
    #expect(throws: UlimitAnnotation.Fault.self) { try limits([Self.key: text]) }
  }
}
