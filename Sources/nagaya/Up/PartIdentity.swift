import APIServer
import CertificateAuthority
import Foundation
import KubernetesAPI
import KubernetesClient
import LinuxSystem
import Logging
import ServiceLifecycle

/// Who a part of the platform is to the API, with no more rights than its role gives.
enum PartIdentity: Sendable, Hashable {
  /// The agent of a node: `system:node:NAME`, a member of `system:nodes`.
  case node(String)
  /// The edge: `system:nagaya:edge`.
  case edge
  /// The hooks of a node: `system:nagaya:hooks`.
  case hooks

  var user: UserInfo {
    switch self {
    case .node(let name): .node(name)
    case .edge: .part("edge")
    case .hooks: .part("hooks")
    }
  }

  /// The name of its kubeconfig below `pki/parts`.
  var fileName: String {
    switch self {
    case .node: "node"
    case .edge: "edge"
    case .hooks: "hooks"
    }
  }

  /// Where a part finds how to reach the API and who it is there: readable by its owner alone, and written anew before the
  /// certificate in it runs out (`KubeconfigTransport` reads it again).
  func kubeconfig(_ layout: Layout) -> String { "\(layout.pki)/parts/\(fileName).kubeconfig" }

  /// A client with this identity; it reconnects whenever the API server was away.
  func client(_ layout: Layout) -> KubernetesClient {
    KubernetesClient(KubeconfigTransport(path: kubeconfig(layout)), userAgent: user.name)
  }
}

/// Makes what the platform's parts show the API, and keeps it from running out.
struct PartCredentials: Sendable {
  var authorities: PlatformAuthorities
  let layout: Layout
  let parts: [PartIdentity]

  /// Writes each part's kubeconfig, and the administrator's, where it is not current.
  /// - Parameter server: `https://127.0.0.1:6443`.
  func write(server: String, now: Date = Date()) throws {
    let directory = "\(layout.pki)/parts"
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    for part in parts {
      let certificate = try authorities.clientCertificate(
        part.fileName, user: part.user.name, groups: part.user.groups.filter { $0 != "system:authenticated" }, now: now)
      try write(certificate, server: server, to: part.kubeconfig(layout))
    }
    let admin = try authorities.clientCertificate(
      "admin", user: "admin", groups: [UserInfo.mastersGroup], now: now, lifetime: Self.administratorLifetime)
    try write(admin, server: server, to: layout.kubeconfig)
  }

  /// What the API server shows to node agents, and writes what they need to answer it: a certificate of their own, and
  /// the roots by which they know the API server.
  func writeForNode(_ node: String, now: Date = Date()) throws -> NodeLogClient.Identity {
    let files = NodeServerFiles(layout)
    _ = try authorities.api.loadOrIssue(
      files.name, in: files.directory,
      .server(commonName: "nagaya-node", dnsNames: authorities.api.permitted([node]), ipAddresses: ["127.0.0.1"]),
      now: now, lifetime: authorities.lives.leaf)
    let roots = Array(authorities.clients.trustPEM.utf8)
    // A file that says the same is left: who watches it would read it for nothing.
    if try LinuxSystem.DurableFile.read(files.clientRoots) != roots {
      try LinuxSystem.DurableFile.write(roots, to: files.clientRoots, permissions: 0o600)
    }
    let certificate = try authorities.clientCertificate(
      "apiserver", user: NodeAPI.apiServer.name, groups: [], now: now)
    return NodeLogClient.Identity(
      authority: Array(authorities.api.trustPEM.utf8), certificate: Array(certificate.certificatePEM.utf8),
      key: Array(certificate.privateKeyPEM.utf8))
  }

  /// People copy this one to where they work.
  static let administratorLifetime: TimeInterval = 90 * 86_400

  private func write(_ certificate: IssuedCertificate, server: String, to path: String) throws {
    let kubeconfig = Kubeconfig(
      name: "nagaya",
      cluster: .init(server: server, authority: .inline(Array(authorities.api.trustPEM.utf8))),
      user: .init(
        clientCertificate: .inline(Array(certificate.certificatePEM.utf8)),
        clientKey: .inline(Array(certificate.privateKeyPEM.utf8))))
    // A file that says the same is left: who watches it would reconnect for nothing.
    if (try? String(contentsOfFile: path, encoding: .utf8)) == (try? kubeconfig.yaml()) { return }
    try kubeconfig.write(to: path)
  }
}

/// What the node agent's https API is made of; no authority's key is among it.
struct NodeServerFiles {
  let directory: String
  let name = "node-server"
  /// The roots of clients' certificates.
  var clientRoots: String { "\(directory)/clients.crt" }

  /// What is looked at for changes: the certificate is written after its key.
  var paths: [String] { ["\(directory)/\(name).crt", clientRoots] }

  init(_ layout: Layout) { directory = "\(layout.pki)/parts" }

  func certificate() throws -> IssuedCertificate {
    guard let certificate = try LinuxSystem.DurableFile.read("\(directory)/\(name).crt"),
      let key = try LinuxSystem.DurableFile.read("\(directory)/\(name).key"),
      let issued = IssuedCertificate(
        certificatePEM: String(decoding: certificate, as: UTF8.self),
        privateKeyPEM: String(decoding: key, as: UTF8.self))
    else {
      throw CommandFailure(
        "\(directory)/\(name).crt and .key are missing or do not belong together",
        remedy: "the API server makes them anew when it starts; see `nagaya status`")
    }
    return issued
  }

  func roots() throws -> String {
    String(decoding: try LinuxSystem.DurableFile.read(clientRoots) ?? [], as: UTF8.self)
  }
}
