import Placement

/// A word on the command line that makes no sense.
struct UsageError: Error, CustomStringConvertible {
  var description: String
}

/// What the command line asks for.
struct BenchmarkOptions: Sendable {
  enum Case: String, CaseIterable, Sendable { case kubecon, growth, trace, speed }

  static let usage = """
    usage: placement-benchmark [--cases kubecon,growth,trace,speed] [--policies default,most-free,...] [--seeds 10]
             [--requests 200000] [--jobs 2] [--trace FILE] [--node-gib 3576] [--set SETTING=NUMBER]...
    Settings of the policy named `custom`: beta, softness, growthWeight, wander, totalGrowthWeight.
    """

  var cases = Set(Case.allCases)
  var policies = [
    "default", "most-free", "kep-4049", "topolvm", "best-fit", "best-fit-headroom", "fgd", "expected-loss", "random",
  ]
  var seeds = 10
  var requests = 200_000
  var jobs = 2
  var trace: String?
  var nodeGiB: Int64 = 3576
  var custom = ExpectedLossSettings()

  init(_ arguments: some Sequence<String>) throws(UsageError) {
    var words = arguments.makeIterator()
    while let option = words.next() {
      guard let value = words.next() else { throw UsageError(description: "\(option) needs a value") }
      switch option {
      case "--cases": cases = Set(try value.split(separator: ",").map(Self.case))
      case "--policies": policies = value.split(separator: ",").map(String.init)
      case "--seeds": seeds = try Self.number(option, value)
      case "--requests": requests = try Self.number(option, value)
      case "--jobs": jobs = try Self.number(option, value)
      case "--trace": trace = value.isEmpty ? nil : value
      case "--node-gib": nodeGiB = Int64(try Self.number(option, value))
      case "--set": try set(value)
      default: throw UsageError(description: "unknown option \(option)")
      }
    }
    for policy in policies where policy != "custom" && StandardPolicy(rawValue: policy) == nil {
      throw UsageError(description: "unknown policy \(policy); there are \(StandardPolicy.allCases.map(\.rawValue))")
    }
  }

  /// A fresh policy of a name.
  func policy(_ name: String, seed: UInt64) -> any PlacementPolicy {
    StandardPolicy(rawValue: name)?.make(seed: seed) ?? ExpectedLossPolicy(name: name, settings: custom)
  }

  private static func `case`(_ name: Substring) throws(UsageError) -> Case {
    guard let found = Case(rawValue: String(name)) else { throw UsageError(description: "unknown case \(name)") }
    return found
  }

  private static func number(_ option: String, _ value: String) throws(UsageError) -> Int {
    guard let number = Int(value), number > 0 else {
      throw UsageError(description: "\(option) needs a whole number above 0, not \(value)")
    }
    return number
  }

  private mutating func set(_ assignment: String) throws(UsageError) {
    let parts = assignment.split(separator: "=")
    guard parts.count == 2, let value = Double(parts[1]) else {
      throw UsageError(description: "--set needs SETTING=NUMBER, not \(assignment)")
    }
    switch parts[0] {
    case "beta": custom.beta = value
    case "softness": custom.softness = value
    case "growthWeight": custom.growthWeight = value
    case "wander": custom.wander = value
    case "totalGrowthWeight": custom.totalGrowthWeight = value
    default: throw UsageError(description: "unknown setting \(parts[0])")
    }
  }
}
