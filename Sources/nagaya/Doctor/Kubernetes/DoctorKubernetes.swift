import ArgumentParser
import KubernetesClient

/// `nagaya doctor kubernetes`: what of Nagaya fits somebody's cluster, and what is wrong with what runs there.
struct DoctorKubernetes: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kubernetes",
    abstract: "Look at a cluster: what of Nagaya fits, and what is wrong with what runs there.",
    discussion: """
      Looks at the version, the nodes' kernels and container runtimes, and at node-local volumes, hooks and the scheduler's \
      extender as far as they are there. Changes nothing. What you may not read is a notice.

      Exits with 1 if something is broken (error), else with 0.

      EXAMPLES
        nagaya doctor kubernetes
        nagaya doctor kubernetes --context production --all
      """)

  @OptionGroup var client: ClientOptions
  @OptionGroup var report: DoctorReport

  func run() async throws {
    let found = try await Session.open(client) { await ClusterExamination($0.client).run() }
    try report.show(found)
  }
}
