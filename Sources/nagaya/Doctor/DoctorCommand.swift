import ArgumentParser
import JSONDocument

/// `nagaya doctor`: looks for what is wrong, or will be, and says what to do.
struct Doctor: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Look for what is wrong with this instance or a cluster, and say what to do.",
    discussion: """
      EXAMPLES
        nagaya doctor                       this machine's instance
        nagaya doctor --all -o yaml
        nagaya doctor kubernetes            the cluster of your kubeconfig: what of Nagaya fits, and what is missing
      """, subcommands: [DoctorInstance.self, DoctorKubernetes.self], defaultSubcommand: DoctorInstance.self)
}

/// `nagaya doctor instance`, which is `nagaya doctor`.
struct DoctorInstance: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "instance", abstract: "Look for what is wrong with this machine's instance.",
    discussion: """
      Looks at the machine, the disk, the parts of the instance, the stored objects, certificates and keys, the domain, \
      the node and the tenants' levels. Changes nothing. Works while Nagaya runs and while it does not.

      Exits with 1 if something is broken (error), else with 0: warnings and notices are for you to judge.
      """)

  @OptionGroup var directories: DirectoryOptions

  @OptionGroup var report: DoctorReport

  func run() async throws {
    try report.show(await Examination(directories.layout).run())
  }
}

/// How findings are shown.
struct DoctorReport: ParsableArguments {
  @Option(name: [.long, .short], help: "Form of the output: table, json or yaml.")
  var output = ReportFormat.table

  @Flag(help: "Show what is in order, too.")
  var all = false

  /// - Throws: `ExitCode(1)` if something is broken.
  func show(_ found: [Diagnosis]) throws {
    let worst = found.map(\.level).max() ?? .ok
    let report: JSONValue = ["worst": .string(worst.rawValue), "findings": .array(found.map(\.json))]
    let shown = found.filter { all || $0.level > .ok }
    try output.show(report) { shown.isEmpty ? nil : Self.rows(shown) }
    if output == .table { Console.print(Self.summary(found)) }
    if worst == .error { throw ExitCode(1) }
  }

  static func rows(_ found: [Diagnosis]) -> [[String]] {
    var rows = [["LEVEL", "CHECK", "FINDING"]]
    for diagnosis in found {
      rows.append([diagnosis.level.rawValue, diagnosis.check, diagnosis.message])
      if let remedy = diagnosis.remedy { rows.append(["", "", "→ \(remedy)"]) }
    }
    return rows
  }

  static func summary(_ found: [Diagnosis]) -> String {
    func count(_ level: Diagnosis.Level) -> Int { found.count { $0.level == level } }
    return "\(found.count) looked at: \(count(.error)) errors, \(count(.warning)) warnings, \(count(.notice)) notices"
  }
}
