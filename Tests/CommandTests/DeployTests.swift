import Foundation
import JSONDocument
import KubernetesAPI
import PlatformHarness
import StorageControllers
import Testing

@testable import nagaya

/// What `deploy/` has for somebody's Kubernetes: the rights that rooms declare, commands that exist, paths that fit.
@Suite struct DeployTests {
  private static let directory = "\(PlatformInstance.root)/deploy"

  private static func objects(_ folder: String) throws -> [KubernetesObject] {
    let kustomization = try YAML.parseAll(
      String(contentsOfFile: "\(directory)/\(folder)/kustomization.yaml", encoding: .utf8))
    return try kustomization[0]["resources"].elements.compactMap(\.string).flatMap { name in
      try YAML.parseAll(String(contentsOfFile: "\(directory)/\(folder)/\(name)", encoding: .utf8))
        .map { KubernetesObject(json: $0) }
    }
  }

  private static func object(_ kind: String, in folder: String) throws -> KubernetesObject {
    try #require(try objects(folder).first { $0.kind == kind })
  }

  @Test func `a node's storage has the rights that its room declares, and no others`() throws {
    let role = try Self.object("ClusterRole", in: "storage")
    #expect(role.name == StorageAccess.node.name && role["rules"] == StorageAccess.node.object["rules"])
    let binding = try Self.object("ClusterRoleBinding", in: "storage")
    let account = try Self.object("ServiceAccount", in: "storage")
    let daemons = try Self.object("DaemonSet", in: "storage")
    #expect(binding["roleRef"]["name"].string == role.name)
    #expect(binding["subjects"][0]["name"].string == account.name)
    #expect(daemons.spec["template"]["spec"]["serviceAccountName"].string == account.name)
  }

  @Test func `the daemons run a command that there is, with paths that the host has, too`() throws {
    let pod = try Self.object("DaemonSet", in: "storage").spec["template"]["spec"]
    let container = pod["containers"][0]
    let arguments = container["args"].elements.compactMap(\.string)
    let command = try #require(try Nagaya.parseAsRoot(arguments) as? ServeStorage)
    #expect(!command.node.noKubelet && command.cluster.kubeconfig == nil)
    let places = Dictionary(
      uniqueKeysWithValues: pod["volumes"].elements.map {
        ($0["name"].string ?? "", $0["hostPath"]["path"].string)
      })
    let mounts = container["volumeMounts"].elements.map {
      (path: $0["mountPath"].string ?? "", host: places[$0["name"].string ?? ""] ?? nil)
    }
    for mount in mounts { #expect(mount.host == nil || mount.host == mount.path) }
    for path in [command.node.csiSocket, command.node.poolDir, command.node.kubeletRegistry] {
      #expect(mounts.contains { path.hasPrefix($0.path) && $0.host != nil }, "\(path)")
    }
  }

  @Test func `driver and class are those that the one-machine instance makes`() throws {
    let driver = try Self.object("CSIDriver", in: "storage")
    #expect(driver.name == StorageAccess.driverName && driver.spec["storageCapacity"].bool == true)
    #expect(driver.spec["attachRequired"].bool == false)
    let storageClass = try Self.object("StorageClass", in: "storage")
    let own = Bootstrap.storageClass
    for field in ["provisioner", "volumeBindingMode", "reclaimPolicy", "allowVolumeExpansion", "parameters"] {
      #expect(storageClass[field] == own[field], "\(field)")
    }
  }
}
