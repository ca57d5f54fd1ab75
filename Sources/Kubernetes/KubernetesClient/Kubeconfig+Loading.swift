import Foundation
import JSONDocument
import KubernetesAPI

extension Kubeconfig {
  /// The kubeconfig that applies: the one named explicitly; else the files of `$KUBECONFIG` (joined by colons, the
  /// first to name something wins, absent ones are passed over); else `~/.kube/config`; else `fallback`.
  /// - Throws: `KubeconfigError`; an explicit file must be there.
  public static func load(
    explicit: String? = nil, fallback: String? = nil,
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws(KubeconfigError) -> Kubeconfig {
    if let explicit, !explicit.isEmpty {
      guard let config = try read(explicit) else { throw .unreadable(path: explicit, reason: "no such file") }
      return config
    }
    var tried: [String] = []
    if let list = environment["KUBECONFIG"], !list.isEmpty {
      var merged: Kubeconfig?
      for path in list.split(separator: ":").map(String.init) {
        tried.append(path)
        guard let config = try read(path) else { continue }
        if merged == nil { merged = config } else { merged?.merge(config) }
      }
      guard let merged else { throw .noFile(tried: tried) }
      return merged
    }
    for path in [environment["HOME"].map { "\($0)/.kube/config" }, fallback] {
      guard let path else { continue }
      tried.append(path)
      if let config = try read(path) { return config }
    }
    throw .noFile(tried: tried)
  }

  /// One file; `nil` if it does not exist.
  public static func read(_ path: String) throws(KubeconfigError) -> Kubeconfig? {
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let data: Data
    do { data = try Data(contentsOf: URL(fileURLWithPath: path)) } catch {
      throw .unreadable(path: path, reason: (error as NSError).localizedDescription)
    }
    guard let text = String(validating: data, as: UTF8.self) else { throw .malformed(path: path, reason: "not UTF-8") }
    return try Kubeconfig(yaml: text, path: path)
  }

  /// - Parameter path: where the text is from; relative file names in it start there.
  public init(yaml text: String, path: String) throws(KubeconfigError) {
    let documents: [JSONValue]
    do { documents = try YAML.parseAll(text) } catch { throw .malformed(path: path, reason: error.description) }
    guard let json = documents.first else {
      self.init()
      paths = [path]
      return
    }
    guard documents.count == 1, case .object = json else {
      throw .malformed(path: path, reason: "one mapping is expected")
    }
    if let kind = json["kind"].string, kind != "Config" {
      throw .malformed(path: path, reason: "its kind is \"\(kind)\", not \"Config\"")
    }
    self.init(currentContext: json["current-context"].string ?? "")
    paths = [path]
    for entry in json["clusters"].elements {
      guard let name = entry["name"].string else { throw .malformed(path: path, reason: "a cluster has no name") }
      let cluster = entry["cluster"]
      var value = Cluster(
        server: cluster["server"].string ?? "",
        authority: try Self.material(cluster, "certificate-authority", path, name),
        skipsVerification: cluster["insecure-skip-tls-verify"].bool ?? false)
      value.origin = path
      if clusters[name] == nil { clusters[name] = value }
    }
    for entry in json["users"].elements {
      guard let name = entry["name"].string else { throw .malformed(path: path, reason: "a user has no name") }
      let user = entry["user"]
      var value = User(
        clientCertificate: try Self.material(user, "client-certificate", path, name),
        clientKey: try Self.material(user, "client-key", path, name),
        token: user["token"].string.map { .inline(Array($0.utf8)) } ?? user["tokenFile"].string.map { .file($0) })
      value.unsupported = ["exec", "auth-provider", "username", "as"].filter { !user[$0].isNull }
      value.origin = path
      if users[name] == nil { users[name] = value }
    }
    for entry in json["contexts"].elements {
      guard let name = entry["name"].string else { throw .malformed(path: path, reason: "a context has no name") }
      let context = entry["context"]
      guard contexts[name] == nil else { continue }
      contexts[name] = Context(
        cluster: context["cluster"].string ?? "", user: context["user"].string ?? "",
        namespace: context["namespace"].string.flatMap { $0.isEmpty ? nil : $0 })
    }
  }

  private static func material(_ json: JSONValue, _ key: String, _ path: String, _ owner: String)
    throws(KubeconfigError) -> Material?
  {
    if let text = json["\(key)-data"].string, !text.isEmpty {
      guard let data = Data(base64Encoded: text, options: .ignoreUnknownCharacters), !data.isEmpty else {
        throw .malformed(path: path, reason: "\(key)-data of \"\(owner)\" is not base64")
      }
      return .inline(Array(data))
    }
    return json[key].string.flatMap { $0.isEmpty ? nil : .file($0) }
  }

  /// What `other` names and this does not yet.
  private mutating func merge(_ other: Kubeconfig) {
    clusters.merge(other.clusters) { first, _ in first }
    users.merge(other.users) { first, _ in first }
    contexts.merge(other.contexts) { first, _ in first }
    if currentContext.isEmpty { currentContext = other.currentContext }
    paths += other.paths
  }
}
