import ArgumentParser
import KubernetesClient
import Logging

/// How a part that stands alone reaches the API.
struct ClusterAccess: ParsableArguments {
  @Option(
    help: "How to reach the API, and as whom. Default: the account of the pod that this runs in.", completion: .file())
  var kubeconfig: String?

  @Option(help: "How much is logged: trace, debug, info, notice, warning or error.")
  var logLevel = Logger.Level.info

  /// A client that goes on when the kubeconfig, or the account's token, is replaced.
  func client(userAgent: String) throws -> KubernetesClient {
    if let kubeconfig { return KubernetesClient(KubeconfigTransport(path: kubeconfig), userAgent: userAgent) }
    do throws(KubeconfigError) {
      return KubernetesClient(try PodAccount.transport(), userAgent: userAgent)
    } catch {
      throw CommandFailure("\(error)", remedy: "run it in a pod with a service account, or name a file: --kubeconfig")
    }
  }
}

/// How a part that stands alone reaches the API, and where it keeps what only it needs.
struct ClusterOptions: ParsableArguments {
  @OptionGroup var access: ClusterAccess

  @Option(help: "Where this part's lock is.", completion: .directory)
  var runDir = "/run/nagaya"

  var kubeconfig: String? { access.kubeconfig }

  func client(userAgent: String) throws -> KubernetesClient { try access.client(userAgent: userAgent) }

  func process(_ kind: PartKind) -> PartProcess {
    PartProcess(kind, layout: Layout(state: runDir, run: runDir), logLevel: access.logLevel.rawValue)
  }
}
