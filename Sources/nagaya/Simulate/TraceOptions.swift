import ArgumentParser
import Placement
import PlacementSimulator
import PlacementTraces

/// How histories are read.
struct TraceOptions: ParsableArguments {
  @Flag(help: "Leave out lines that cannot be used, and say how many.") var lenient = false

  @Option(help: ArgumentHelp("Of claims: only those of this storage class.", valueName: "name"))
  var storageClass: String?

  var options: TraceFile.Options { TraceFile.Options(isLenient: lenient, storageClass: storageClass) }
}

/// Policies divided by commas.
struct PolicyList: ExpressibleByArgument, Hashable, CustomStringConvertible {
  var policies: [StandardPolicy]

  init(policies: [StandardPolicy]) { self.policies = policies }

  init?(argument: String) {
    var policies: [StandardPolicy] = []
    for name in argument.split(separator: ",", omittingEmptySubsequences: false) {
      guard let policy = StandardPolicy(rawValue: String(name)) else { return nil }
      if !policies.contains(policy) { policies.append(policy) }
    }
    self.policies = policies
  }

  static var allValueStrings: [String] { StandardPolicy.allCases.map(\.rawValue) }
  var description: String { policies.map(\.rawValue).joined(separator: ",") }
  var defaultValueDescription: String { description }
}

/// For people or for programs.
enum TableOrJSON: String, ExpressibleByArgument, CaseIterable {
  case table, json
}

/// Failures of reading, with the remedy.
func readingFailures<Result>(_ body: () throws -> Result) throws -> Result {
  do { return try body() } catch let error as TraceError {
    throw CommandFailure("\(error)", remedy: error.remedy)
  }
}

/// Failures of running, with the remedy.
func runningFailures<Result>(_ body: () async throws -> Result) async throws -> Result {
  do { return try await body() } catch let error as TraceError {
    throw CommandFailure("\(error)", remedy: error.remedy)
  } catch let error as SimulationError {
    throw CommandFailure(
      "the history cannot be run: \(error)", remedy: "check that the nodes have the device classes that it asks for")
  }
}
