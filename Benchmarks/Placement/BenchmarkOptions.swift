import Placement
import PlacementReports

/// A word on the command line that makes no sense.
struct UsageError: Error, CustomStringConvertible {
  var description: String
}

/// What the command line asks for.
struct BenchmarkOptions: Sendable {
  enum Case: String, CaseIterable, Sendable { case kubecon, growth, trace, memory, rows, speed }

  static let usage = """
    usage: placement-benchmark [--cases kubecon,growth,trace,memory,rows,speed] [--policies default,most-free,...]
             [--seeds 10] [--first-seed 11] [--requests 200000] [--jobs 2] [--trace FILE] [--node-gib 3576]
             [--trace-nodes 645] [--rows 10000000] [--report DIRECTORY] [--set SETTING=NUMBER]...
    --set makes expected-loss a policy with settings of its own, for tuning: beta, softness, growthWeight, wander,
    totalGrowthWeight; what is not set is as in the default policy. The case trace needs a file, rows disk space.
    """

  /// The files of `rows`, half a gigabyte, are written to a temporary file only if asked for.
  var cases = Set(Case.allCases).subtracting([.rows])
  var policies = StandardStudy.policies
  var seeds = 10
  /// The default policy's constants were chosen on seeds 1 to 8, so figures come from others.
  var firstSeed = 11
  var requests = 200_000
  var jobs = 2
  var trace: String?
  var nodeGiB: Int64 = 3576
  /// Nodes of the plain run of the trace, which its plots show.
  var traceNodes = 645
  var rows = 10_000_000
  var report: String?
  var custom: ExpectedLossSettings?
  /// As it was called.
  private(set) var command = "placement-benchmark"

  var seedList: [UInt64] { (0..<seeds).map { UInt64(firstSeed + $0) } }

  init(_ arguments: some Sequence<String>) throws(UsageError) {
    var words = arguments.makeIterator()
    while let option = words.next() {
      guard let value = words.next() else { throw UsageError(description: "\(option) needs a value") }
      // Where the files of this machine lie is of no use to a reader.
      if !["--trace", "--report"].contains(option) { command += " \(option) \(value)" }
      switch option {
      case "--cases": cases = Set(try value.split(separator: ",").map(Self.case))
      case "--policies": policies = try value.split(separator: ",").map(Self.policy)
      case "--seeds": seeds = try Self.number(option, value)
      case "--first-seed": firstSeed = try Self.number(option, value)
      case "--requests": requests = try Self.number(option, value)
      case "--jobs": jobs = try Self.number(option, value)
      case "--trace": trace = value.isEmpty ? nil : value
      case "--node-gib": nodeGiB = Int64(try Self.number(option, value))
      case "--trace-nodes": traceNodes = try Self.number(option, value)
      case "--rows": rows = try Self.number(option, value)
      case "--report": report = value.isEmpty ? nil : value
      case "--set": try set(value)
      default: throw UsageError(description: "unknown option \(option)")
      }
    }
  }

  private static func policy(_ name: Substring) throws(UsageError) -> StandardPolicy {
    guard let found = StandardPolicy(rawValue: String(name)) else {
      throw UsageError(description: "unknown policy \(name); there are \(StandardPolicy.allCases.map(\.rawValue))")
    }
    return found
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
    var settings = custom ?? ExpectedLossSettings()
    switch parts[0] {
    case "beta": settings.beta = value
    case "softness": settings.softness = value
    case "growthWeight": settings.growthWeight = value
    case "wander": settings.wander = value
    case "totalGrowthWeight": settings.totalGrowthWeight = value
    default: throw UsageError(description: "unknown setting \(parts[0])")
    }
    custom = settings
  }
}
