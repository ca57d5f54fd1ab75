import JSONDocument
import KubernetesAPI

/// Where API servers are and who we are to them: the file that kubectl reads (`v1 Config`, client-go `clientcmd/api/v1`).
public struct Kubeconfig: Sendable, Hashable {
  /// Bytes that are written in the file itself (`…-data`) or lie in another one.
  public enum Material: Sendable, Hashable {
    case inline([UInt8])
    /// Absolute, or relative to the directory of the kubeconfig.
    case file(String)
  }

  public struct Cluster: Sendable, Hashable {
    /// `https://127.0.0.1:6443`
    public var server: String
    /// The authority to trust; the system's if there is none.
    public var authority: Material?
    public var skipsVerification: Bool
    /// The kubeconfig that names the cluster.
    var origin = ""

    public init(server: String, authority: Material? = nil, skipsVerification: Bool = false) {
      self.server = server
      self.authority = authority
      self.skipsVerification = skipsVerification
    }
  }

  public struct User: Sendable, Hashable {
    public var clientCertificate: Material?
    public var clientKey: Material?
    public var token: Material?
    /// Ways of authentication in the file that this client does not speak (`exec`, `username`, …).
    public var unsupported: [String] = []
    var origin = ""

    public init(clientCertificate: Material? = nil, clientKey: Material? = nil, token: Material? = nil) {
      self.clientCertificate = clientCertificate
      self.clientKey = clientKey
      self.token = token
    }
  }

  public struct Context: Sendable, Hashable {
    public var cluster: String
    public var user: String
    /// Where commands work if they name no namespace.
    public var namespace: String?

    public init(cluster: String, user: String, namespace: String? = nil) {
      self.cluster = cluster
      self.user = user
      self.namespace = namespace
    }
  }

  public var clusters: [String: Cluster]
  public var users: [String: User]
  public var contexts: [String: Context]
  public var currentContext: String
  /// The files it was read from, first to last.
  public var paths: [String] = []

  public init(
    clusters: [String: Cluster] = [:], users: [String: User] = [:], contexts: [String: Context] = [:],
    currentContext: String = ""
  ) {
    self.clusters = clusters
    self.users = users
    self.contexts = contexts
    self.currentContext = currentContext
  }

  /// One cluster, one user, one context, all named `name`.
  public init(name: String, cluster: Cluster, user: User, namespace: String? = nil) {
    self.init(
      clusters: [name: cluster], users: [name: user],
      contexts: [name: Context(cluster: name, user: name, namespace: namespace)], currentContext: name)
  }
}

/// Why there is no way to a cluster; says which file and what to do.
public enum KubeconfigError: Error, Sendable, Hashable, CustomStringConvertible {
  case noFile(tried: [String])
  case unreadable(path: String, reason: String)
  case malformed(path: String, reason: String)
  case noContext(paths: [String])
  case unknownContext(String, paths: [String], known: [String])
  case missing(what: String, name: String, context: String, paths: [String])
  case unsupported(what: String, user: String, path: String)
  case unwritable(path: String, reason: String)

  public var description: String {
    func files(_ paths: [String]) -> String { paths.isEmpty ? "the kubeconfig" : paths.joined(separator: ":") }
    switch self {
    case .noFile(let tried):
      return "no kubeconfig found (tried \(tried.joined(separator: ", "))); start a server with `nagaya up`, "
        + "or name a file with --kubeconfig or KUBECONFIG"
    case .unreadable(let path, let reason): return "cannot read \(path): \(reason)"
    case .malformed(let path, let reason): return "\(path) is not a valid kubeconfig: \(reason)"
    case .noContext(let paths):
      return "\(files(paths)) has no current-context; choose one with `kubectl config use-context` or --context"
    case .unknownContext(let name, let paths, let known):
      return
        "\(files(paths)) has no context \"\(name)\"; it has \(known.isEmpty ? "none" : known.joined(separator: ", "))"
    case .missing(let what, let name, let context, let paths):
      return "context \"\(context)\" of \(files(paths)) names the \(what) \"\(name)\", which is not there"
    case .unsupported(let what, let user, let path):
      return "user \"\(user)\" of \(path) authenticates by \(what), which is not supported; "
        + "use a client certificate or a token"
    case .unwritable(let path, let reason): return "cannot write \(path): \(reason)"
    }
  }
}
