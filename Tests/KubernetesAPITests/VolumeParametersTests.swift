import KubernetesAPI
import Testing

struct VolumeParametersTests {
  private static let read = "local.nagaya.dev/readBytesPerSecond"
  private static let write = "local.nagaya.dev/writeOperationsPerSecond"

  @Test func `limits are quantities, each by its name`() throws {
    let limits = try VolumeParameters.limits([Self.read: "20M", Self.write: "500", "other": "x"])
    #expect(limits[.readBytesPerSecond] == 20_000_000 && limits[.writeOperationsPerSecond] == 500)
    #expect(limits[.writeBytesPerSecond] == nil && limits[.readOperationsPerSecond] == nil)
    #expect(limits.line(of: "7:3") == "7:3 rbps=20000000 wbps=max riops=max wiops=500")
    #expect(try VolumeParameters.limits([:]).isEmpty)
    #expect(try VolumeParameters.limits([Self.read: "1Ei"])[.readBytesPerSecond] == 1 << 60)
  }

  @Test(
    arguments: [
      "0", "-1", "", "fast", "20 M", "0.0", "1e", "NaN", "max", "unlimited", String(repeating: "9", count: 200),
    ])
  func `what is no quantity is a fault with its name`(_ value: String) {
    let fault = #expect(throws: VolumeParameters.Fault.self) { try VolumeParameters.limits([Self.read: value]) }
    #expect(fault?.name == Self.read)
    #expect(VolumeParameters.faults([Self.read: value], isMutable: true).map(\.name) == [Self.read])
  }

  @Test(
    arguments: [
      (["local.nagaya.dev/pool": "fast"], true, false), (["csi.storage.k8s.io/fstype": "xfs"], true, false),
      ([read: "1Mi"], true, true), (["local.nagaya.dev/readBytes": "1"], false, false), (["iops": "5"], false, false),
      (["local.nagaya.dev/ReadBytesPerSecond": "1"], false, false), ([:], true, true),
    ] as [([String: String], Bool, Bool)])
  func `a parameter that nobody reads is a fault`(_ row: ([String: String], Bool, Bool)) {
    #expect(VolumeParameters.faults(row.0, isMutable: false).isEmpty == row.1, "\(row.0)")
    #expect(VolumeParameters.faults(row.0, isMutable: true).isEmpty == row.2, "\(row.0)")
  }

  @Test func `a bound lowers, and holds where nothing is said`() {
    var (own, bound) = (VolumeIOLimits(), VolumeIOLimits())
    own[.readBytesPerSecond] = 10
    own[.writeBytesPerSecond] = 5
    bound[.readBytesPerSecond] = 7
    bound[.readOperationsPerSecond] = 3
    let both = own.bounded(by: bound)
    #expect(both.line(of: "d") == "d rbps=7 wbps=5 riops=3 wiops=max" && both == bound.bounded(by: own))
    #expect(own.or(bound).line(of: "d") == "d rbps=10 wbps=5 riops=3 wiops=max")
  }
}

struct HookLimitsTests {
  @Test func `only limits are told, and what changes while a container runs follows the decision`() {
    let made = [
      "ulimit NOFILE 1:2, by policy a", "env A=b, by policy a", "pids 5, by policy a", "memory 9, by policy a",
    ]
    #expect(HookLimits.lines(made) == [made[0], made[2], made[3]])
    let now = ["ulimit NOFILE 3:4, by policy b", "memory 8, by policy b", "io.max 7:0 rbps=1, by policy b"]
    #expect(HookLimits.lines(made: HookLimits.lines(made), now: now) == [made[0], made[2], now[1], now[2]])
  }

  @Test func `a pod's annotation is small, whatever its containers have`() throws {
    let lines = (0..<500).map { "ulimit NOFILE \($0):\($0), by policy \(String(repeating: "p", count: 200))" }
    #expect(HookLimits.lines(lines).joined(separator: "\n").utf8.count <= HookLimits.mostOfContainer)
    let containers = Dictionary(uniqueKeysWithValues: (0..<100).map { ("c\($0)", HookLimits.lines(lines)) })
    let text = try #require(HookLimits.annotation(containers))
    #expect(text.utf8.count <= 2 * HookLimits.mostOfPod)
    #expect(HookLimits.annotation(["a": [], "b": []]) == nil && HookLimits.annotation([:]) == nil)
  }

  @Test func `what was written is read, and nonsense is nothing`() throws {
    let text = try #require(HookLimits.annotation(["db": ["pids 5, by policy p"], "web": []]))
    #expect(text == #"{"db":["pids 5, by policy p"]}"#)
    #expect(HookLimits.read(text).map(\.container) == ["db"])
    #expect(HookLimits.read(text).first?.lines == ["pids 5, by policy p"])
    for text in ["", "x", "[1]", #"{"a":5}"#, String(repeating: "[", count: 100_000)] {
      #expect(HookLimits.read(text).allSatisfy { $0.lines.isEmpty })
    }
  }
}
