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

  @Option(help: "Where this part's lock is, and the socket on which it says how it is.", completion: .directory)
  var runDir = "/run/nagaya"

  @Option(
    help: ArgumentHelp(
      "Serve /metrics, /livez and /readyz there, too, to anybody: such as :9810. Default: on RUN-DIR/parts alone.",
      valueName: "host:port"),
    transform: { text in
      guard let address = ListenAddress(text) else {
        throw ValidationError("\(text) is no address; give a port as in :9810 or 127.0.0.1:9810")
      }
      return address
    })
  var metricsAddress: ListenAddress?

  func validate() throws { try Layout(state: runDir, run: runDir).checkSockets() }

  var kubeconfig: String? { access.kubeconfig }

  func client(userAgent: String) throws -> KubernetesClient { try access.client(userAgent: userAgent) }

  func process(_ kind: PartKind) -> PartProcess {
    var process = PartProcess(kind, layout: Layout(state: runDir, run: runDir), logLevel: access.logLevel.rawValue)
    process.metricsAddress = metricsAddress
    return process
  }
}
