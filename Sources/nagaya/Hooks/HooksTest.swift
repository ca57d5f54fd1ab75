import ArgumentParser
import Foundation
import JSONDocument
import KubernetesAPI
import NodeHooks

/// `nagaya hooks test`: a dry run.
struct HooksTest: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "test", abstract: "Show what hooks would change of a pod's containers, without a cluster.",
    discussion: """
      Prints a diff of each container: what it would have (-) and get (+), each with the policy or annotation that wants it. \
      Ends with 1 if a container would not be made.

      EXAMPLES
        nagaya hooks test -f pod.yaml
        nagaya hooks test -f pod.yaml --policies policies.yaml
      """)

  @Option(name: [.short, .customLong("filename")], help: "Pods as YAML or JSON.", completion: .file())
  var filename: String

  @OptionGroup var rules: HookRules

  func run() async throws {
    let source = PolicySource()
    if let path = rules.policies {
      do throws(PolicyFile.Fault) { try PolicyFile(path: path).use(in: source) } catch {
        throw CommandFailure(error.description, remedy: "mend the policies")
      }
    }
    let dryRun = DryRun(HookDecider(source, failure: rules.onError, isAudit: rules.audit))
    var hasRefusal = false
    for pod in try pods() {
      Console.print(HookDiff.head(pod))
      for result in dryRun.run(pod) {
        for line in HookDiff.lines(of: result) { Console.print(line) }
        hasRefusal = hasRefusal || result.refusal != nil
      }
    }
    if hasRefusal { throw CommandFailure("a container would not be made", remedy: "") }
  }

  private func pods() throws -> [KubernetesObject] {
    guard let data = FileManager.default.contents(atPath: filename) else {
      throw CommandFailure("\(filename) can't be read", remedy: "name a file with a Pod in it")
    }
    let documents: [JSONValue]
    do throws(YAML.Failure) { documents = try YAML.parseAll(String(decoding: data, as: UTF8.self)) } catch {
      throw CommandFailure("\(filename): \(error)", remedy: "give a Pod as YAML")
    }
    let objects = documents.flatMap { $0["kind"].string == "List" ? $0["items"].elements : [$0] }
    let pods = objects.map(KubernetesObject.init(json:)).filter { $0.kind == "Pod" }
    guard !pods.isEmpty else { throw CommandFailure("\(filename) has no Pod in it", remedy: "give a Pod as YAML") }
    return pods
  }
}

/// Decisions as a diff, for people. Texts of objects never steer the terminal.
enum HookDiff {
  static func head(_ pod: KubernetesObject) -> String {
    TableText.plain("pod \(pod.namespace.isEmpty ? "default" : pod.namespace)/\(pod.name)")
  }

  static func lines(of result: DryRun.Result) -> [String] {
    var lines = ["  container \(result.container)"]
    if let refusal = result.refusal { lines.append("  ! would not be made: \(refusal)") }
    lines += result.before.map { "  - \($0)" }
    lines += result.after.map { "  + \($0)" }
    if lines.count == 1 { lines.append("    nothing changes") }
    return lines.map(TableText.plain)
  }
}
