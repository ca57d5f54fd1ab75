import Foundation

extension Kubeconfig {
  /// All that is needed to reach one API server as one user, with every file read.
  public struct Connection: Sendable, Hashable {
    /// `https://127.0.0.1:6443`, without a slash at the end.
    public var server: String
    /// PEM; the system's authorities if there is none.
    public var authority: [UInt8]?
    public var skipsVerification = false
    /// PEM.
    public var clientCertificate: [UInt8]?
    /// PEM.
    public var clientKey: [UInt8]?
    public var token: String?
    /// Where commands work if they name no namespace: `default` unless the context says otherwise.
    public var namespace = "default"
    /// For messages: `context "nagaya" of /root/.kube/config`.
    public var origin: String

    public init(
      server: String, authority: [UInt8]? = nil, clientCertificate: [UInt8]? = nil, clientKey: [UInt8]? = nil,
      token: String? = nil, origin: String = "the given connection"
    ) {
      self.server = server
      self.authority = authority
      self.clientCertificate = clientCertificate
      self.clientKey = clientKey
      self.token = token
      self.origin = origin
    }
  }

  /// The connection of a context: the named one, or the current.
  public func connection(context name: String? = nil) throws(KubeconfigError) -> Connection {
    let name = name ?? currentContext
    guard !name.isEmpty else { throw .noContext(paths: paths) }
    guard let context = contexts[name] else {
      throw .unknownContext(name, paths: paths, known: contexts.keys.sorted())
    }
    guard let cluster = clusters[context.cluster] else {
      throw .missing(what: "cluster", name: context.cluster, context: name, paths: paths)
    }
    guard let user = users[context.user] else {
      throw .missing(what: "user", name: context.user, context: name, paths: paths)
    }
    if user.clientCertificate == nil, user.token == nil, let way = user.unsupported.first {
      throw .unsupported(what: way, user: context.user, path: user.origin)
    }
    var server = cluster.server
    while server.hasSuffix("/") { server.removeLast() }
    guard server.hasPrefix("https://") || server.hasPrefix("http://"), server.count > 8 else {
      throw .malformed(
        path: cluster.origin,
        reason: "cluster \"\(context.cluster)\" has the server \"\(cluster.server)\", not an https URL")
    }
    var connection = Connection(server: server, origin: "context \"\(name)\" of \(paths.joined(separator: ":"))")
    connection.authority = try Self.bytes(cluster.authority, origin: cluster.origin)
    connection.skipsVerification = cluster.skipsVerification
    connection.clientCertificate = try Self.bytes(user.clientCertificate, origin: user.origin)
    connection.clientKey = try Self.bytes(user.clientKey, origin: user.origin)
    connection.token = try Self.bytes(user.token, origin: user.origin).map { bytes in
      String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
    connection.namespace = context.namespace ?? "default"
    return connection
  }

  private static func bytes(_ material: Material?, origin: String) throws(KubeconfigError) -> [UInt8]? {
    switch material {
    case nil: return nil
    case .inline(let bytes): return bytes
    case .file(let name):
      let url = URL(fileURLWithPath: name, relativeTo: URL(fileURLWithPath: origin).deletingLastPathComponent())
      do { return Array(try Data(contentsOf: url)) } catch {
        throw .unreadable(path: url.path, reason: "\((error as NSError).localizedDescription) (named by \(origin))")
      }
    }
  }
}
