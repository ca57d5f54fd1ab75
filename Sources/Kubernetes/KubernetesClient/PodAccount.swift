import Foundation

/// The account of the pod that this process runs in: what Kubernetes mounts into pods for their way to the API.
public enum PodAccount {
  /// Where it is mounted.
  public static let directory = "/var/run/secrets/kubernetes.io/serviceaccount"

  /// The way to the API as that account. The token is read again whenever it was replaced: it holds for an hour.
  /// - Parameters:
  ///   - environment: has `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT`.
  /// - Throws: `KubeconfigError` if this is no pod with an account.
  public static func transport(
    directory: String = directory, environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws(KubeconfigError) -> KubeconfigTransport {
    guard let host = environment["KUBERNETES_SERVICE_HOST"], let port = environment["KUBERNETES_SERVICE_PORT"] else {
      throw .unreadable(path: directory, reason: "this is no pod: KUBERNETES_SERVICE_HOST is not set")
    }
    let address = host.contains(":") ? "[\(host)]" : host
    // The files are links that are replaced together.
    let kubeconfig = Kubeconfig(
      name: "pod",
      cluster: .init(server: "https://\(address):\(port)", authority: .file("\(directory)/ca.crt")),
      user: .init(token: .file("\(directory)/token")))
    _ = try kubeconfig.connection()
    return KubeconfigTransport(watching: "\(directory)/token") { try kubeconfig.connection() }
  }
}
