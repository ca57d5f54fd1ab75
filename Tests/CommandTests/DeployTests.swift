import Foundation
import JSONDocument
import KubernetesAPI
import NodeHooks
import PlatformHarness
import PodScheduler
import StorageControllers
import Testing

@testable import nagaya

/// What `deploy/` has for somebody's Kubernetes: the rights that rooms declare, commands that exist, paths that fit.
@Suite struct DeployTests {
  fileprivate static let directory = "\(PlatformInstance.root)/deploy"

  fileprivate static func objects(_ folder: String) throws -> [KubernetesObject] {
    let kustomization = try YAML.parseAll(
      String(contentsOfFile: "\(directory)/\(folder)/kustomization.yaml", encoding: .utf8))
    return try kustomization[0]["resources"].elements.compactMap(\.string).flatMap { name in
      try YAML.parseAll(String(contentsOfFile: "\(directory)/\(folder)/\(name)", encoding: .utf8))
        .map { KubernetesObject(json: $0) }
    }
  }

  fileprivate static func object(_ kind: String, in folder: String) throws -> KubernetesObject {
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

  @Test func `the kind that storage writes is defined as this program declares it`() throws {
    let file = try String(contentsOfFile: "\(Self.directory)/storage/crds.yaml", encoding: .utf8)
    let current = try CustomResourcesCommand.text(of: ["volumepools"])
    #expect(file == current, "write it anew: nagaya crds volumepools > deploy/storage/crds.yaml")
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

extension DeployTests {
  @Test func `the extender has the rights that its room declares, and a command that there is`() throws {
    let role = try Self.object("ClusterRole", in: "scheduler")
    #expect(role.name == SchedulerAccess.extender.name && role["rules"] == SchedulerAccess.extender.object["rules"])
    let binding = try Self.object("ClusterRoleBinding", in: "scheduler")
    let account = try Self.object("ServiceAccount", in: "scheduler")
    let pod = try Self.object("Deployment", in: "scheduler").spec["template"]["spec"]
    #expect(binding["roleRef"]["name"].string == role.name)
    #expect(binding["subjects"][0]["name"].string == account.name)
    #expect(pod["serviceAccountName"].string == account.name)
    #expect(pod["volumes"].elements.allSatisfy { $0["hostPath"].isNull })
    let container = pod["containers"][0]
    #expect(container["securityContext"]["runAsNonRoot"] == true)
    #expect(container["securityContext"]["capabilities"] == ["drop": ["ALL"]])
    let arguments = container["args"].elements.compactMap(\.string)
    let command = try #require(try Nagaya.parseAsRoot(arguments) as? ServeSchedulerExtender)
    #expect(command.port == container["ports"][0]["containerPort"].int && command.cluster.kubeconfig == nil)
    for path in [command.tlsCert, command.tlsKey] {
      let mounts = container["volumeMounts"].elements.compactMap { $0["mountPath"].string }
      #expect(mounts.contains { path.hasPrefix("\($0)/") }, "\(path)")
    }
  }

  @Test func `API server and kube-scheduler are told paths that the extender answers`() throws {
    let service = try Self.object("Service", in: "scheduler")
    let namespace = try Self.object("Namespace", in: "scheduler")
    let hook = try Self.object("MutatingWebhookConfiguration", in: "scheduler")["webhooks"][0]
    let target = hook["clientConfig"]["service"]
    #expect(target["name"].string == service.name && target["namespace"].string == namespace.name)
    #expect(target["path"].string == SchedulerExtender.Path.webhook && hook["failurePolicy"] == "Ignore")
    let deployment = try Self.object("Deployment", in: "scheduler")
    #expect(service.spec["selector"] == deployment.spec["template"]["metadata"]["labels"])
    let configuration = try YAML.parseAll(
      String(contentsOfFile: "\(Self.directory)/scheduler/extender.yaml", encoding: .utf8))[0]["extenders"][0]
    let prefix = "https://\(service.name).\(namespace.name).svc"
    let url = try #require(configuration["urlPrefix"].string)
    #expect(url.hasPrefix(prefix) && configuration["enableHTTPS"] == true && configuration["nodeCacheCapable"] == true)
    for (verb, path) in [
      ("filterVerb", SchedulerExtender.Path.filter), ("prioritizeVerb", SchedulerExtender.Path.prioritize),
    ] {
      #expect("\(url)/\(configuration[verb].string ?? "")" == prefix + path)
    }
  }

  /// `key=value` lines of a unit of systemd.
  private static func unit() throws -> [String: String] {
    let text = try String(contentsOfFile: "\(directory)/hooks/nagaya-hooks.service", encoding: .utf8)
    return Dictionary(
      text.split(separator: "\n").compactMap { line in
        line.firstIndex(of: "=").map { (String(line[..<$0]), String(line[line.index(after: $0)...])) }
      }, uniquingKeysWith: { first, _ in first })
  }

  private static func hooks(_ arguments: [String]) throws -> ServeHooks {
    try #require(try Nagaya.parseAsRoot(arguments) as? ServeHooks)
  }

  @Test func `hooks in a container have the socket, and nothing else of the node or of the API`() throws {
    let template = try Self.object("DaemonSet", in: "hooks").spec["template"]["spec"]
    let container = template["containers"][0]
    #expect(template["containers"].elements.count == 1 && template["initContainers"].isNull)
    let account = try Self.object("ServiceAccount", in: "hooks")
    #expect(template["serviceAccountName"].string == account.name)
    #expect(template["automountServiceAccountToken"] == false && account["automountServiceAccountToken"] == false)
    #expect(!(try Self.objects("hooks")).contains { $0.kind.contains("Role") })
    for key in ["hostNetwork", "hostPID", "hostIPC"] { #expect(template[key].isNull, "\(key)") }
    let rights = container["securityContext"]
    #expect(rights["privileged"].isNull && rights["capabilities"] == ["drop": ["ALL"]])
    #expect(rights["allowPrivilegeEscalation"] == false && rights["readOnlyRootFilesystem"] == true)
    #expect(container["resources"]["limits"]["memory"] == "64Mi")
    let hostPaths = template["volumes"].elements.compactMap { $0["hostPath"]["path"].string }
    let command = try Self.hooks(container["args"].elements.compactMap(\.string))
    #expect(hostPaths == ["/var/run/nri"] && command.runtimeSocket == "/var/run/nri/nri.sock")
    let mounts = container["volumeMounts"].elements.compactMap { $0["mountPath"].string }
    for path in [command.runtimeSocket, command.directories.statusSocket, command.rules.policies ?? ""] {
      #expect(mounts.contains { path.hasPrefix("\($0)/") }, "\(path)")
    }
  }

  @Test func `hooks begin with policies that can be read, and bound what an instance's do`() throws {
    let map = try Self.object("ConfigMap", in: "hooks")
    let template = try Self.object("DaemonSet", in: "hooks").spec["template"]["spec"]
    #expect(template["volumes"].elements.contains { $0["configMap"]["name"].string == map.name })
    let command = try Self.hooks(template["containers"][0]["args"].elements.compactMap(\.string))
    let name = try #require(command.rules.policies?.split(separator: "/").last.map(String.init))
    let file = try PolicyFile(text: try #require(map["data"][name].string))
    #expect(file.policies.map(\.name) == [NodeHookLimits.policy.name])
    #expect(file.policies.first?.ulimits.map(\.type) == NodeHookLimits.policy.ulimits.map(\.type))
    for (own, others) in zip(file.policies.first?.ulimits ?? [], NodeHookLimits.policy.ulimits)
    where own.type != "NOFILE" { #expect(own.most == others.most, "\(own.type)") }
  }

  @Test func `the unit runs a command that there is, with no right but the socket's`() throws {
    let unit = try Self.unit()
    let words = (unit["ExecStart"] ?? "").split(separator: " ").map(String.init)
    #expect(words.first?.hasSuffix("/nagaya") == true)
    let command = try Self.hooks(Array(words.dropFirst()))
    #expect(command.rules.policies == "/etc/nagaya/policies.yaml")
    #expect(command.directories.statusSocket == "/run/\(unit["RuntimeDirectory"] ?? "")/status.sock")
    let wanted = [
      "CapabilityBoundingSet": "", "NoNewPrivileges": "yes", "ProtectSystem": "strict", "PrivateNetwork": "yes",
      "Restart": "always", "RuntimeDirectoryMode": "0700", "MemoryMax": "64M",
    ]
    for (key, value) in wanted { #expect(unit[key] == value, "\(key)") }
  }
}
