import APIServer
import Applications
import CertificateAuthority
import Controllers
import Edge
import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import LinuxSystem
import Logging
import NodeAgent
import NodeHooks
import PodScheduler
import ServiceLifecycle
import StorageControllers
import Tenancy

/// Who a part of the platform is to the API, with no more rights than its role gives.
enum PartIdentity: Sendable, Hashable {
  /// The agent of a node: `system:node:NAME`, a member of `system:nodes`.
  case node(String)
  /// A node's storage: `system:nagaya:storage:NAME`, a member of `system:nagaya:storage`.
  case storage(String)
  /// The edge, the hooks of a node, and each of the controllers: `system:nagaya:…`.
  case edge, hooks, controllers, scheduler, applications, tenancy, storageController

  /// Everybody of an instance with one node.
  static func all(node: String) -> [PartIdentity] {
    [
      .node(node), .storage(node), .edge, .hooks, .controllers, .scheduler, .applications, .tenancy, .storageController,
    ]
  }

  /// What the room of the part says that it may. The node authorizer narrows the nodes' role down.
  var role: PartRole {
    switch self {
    case .node: NodeAccess.role
    case .storage: StorageAccess.node
    case .edge: EdgeAccess.role
    case .hooks: HookAccess.role
    case .controllers: ControllersAccess.role
    case .scheduler: SchedulerAccess.role
    case .applications: ApplicationAccess.role
    case .tenancy: TenancyAccess.role
    case .storageController: StorageAccess.cluster
    }
  }

  var user: UserInfo {
    switch self {
    case .node(let name): .node(name)
    case .storage(let name):
      UserInfo(name: "\(role.name):\(name)", groups: [role.name, "system:authenticated"])
    default: UserInfo(name: role.name, groups: ["system:authenticated"])
    }
  }

  /// Who the role is bound to: all nodes together, or the one user.
  var subject: (kind: String, name: String) {
    switch self {
    case .node: ("Group", UserInfo.nodesGroup)
    case .storage: ("Group", role.name)
    default: ("User", role.name)
    }
  }

  /// The ClusterRoleBinding that gives it its role.
  var binding: KubernetesObject {
    let group: JSONValue = "rbac.authorization.k8s.io"
    var binding = KubernetesObject(.clusterRoleBindings, name: role.name)
    binding["roleRef"] = ["apiGroup": group, "kind": "ClusterRole", "name": .string(role.name)]
    binding["subjects"] = [["apiGroup": group, "kind": .string(subject.kind), "name": .string(subject.name)]]
    return binding
  }

  /// The name of its kubeconfig below `pki/parts`: its role's, without what is before it.
  var fileName: String { role.name.split(separator: ":").last.map(String.init) ?? role.name }

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
