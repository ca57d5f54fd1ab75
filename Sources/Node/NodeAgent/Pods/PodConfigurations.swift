import CRI
import Foundation
import JSONDocument
import KubernetesAPI
import LinuxSystem

/// Facts of this node that pods' configurations need.
struct NodeFacts: Sendable {
  var name: String
  var address: String
  var memoryBytes: Int64
  var cpuMilli: Int64
  /// `S/node`
  var directory: String
  var limits = NodeLimits()
  /// The API as pods reach it, and as the node itself does; `nil`: pods have no way to it.
  var podsAPI: APIEntrance.Addresses?

  /// Where a pod finds the API: none, if it asks for no token by which it could call it.
  func apiAddress(for pod: KubernetesObject) -> (host: String, port: Int)? {
    guard let podsAPI, pod.mayCallAPI else { return nil }
    return pod.isHostNetwork ? podsAPI.server : podsAPI.entrance
  }
}

/// Translates a pod's specification to what the CRI wants.
struct PodConfigurations: Sendable {
  let pod: KubernetesObject
  let node: NodeFacts

  var podDirectory: String { "\(node.directory)/pods/\(pod.uid)" }
  var logDirectory: String { Self.logDirectory(pod, below: node.directory) }
  var hostname: String { pod.spec["hostname"].string ?? String(pod.name.prefix(63)) }

  static func logDirectory(_ pod: KubernetesObject, below directory: String) -> String {
    "\(directory)/logs/\(pod.namespace)_\(pod.name)_\(pod.uid)"
  }

  private var labels: [String: String] {
    [PodLabels.name: pod.name, PodLabels.namespace: pod.namespace, PodLabels.uid: pod.uid]
  }

  private var namespaces: Runtime_V1_NamespaceOption {
    .with {
      $0.network = pod.isHostNetwork ? .node : .pod
      $0.pid =
        pod.spec["hostPID"].bool == true ? .node : pod.spec["shareProcessNamespace"].bool == true ? .pod : .container
      $0.ipc = pod.spec["hostIPC"].bool == true ? .node : .pod
    }
  }

  private var isPrivileged: Bool {
    (pod.containers + pod.initContainers).contains { $0["securityContext"]["privileged"].bool == true }
  }

  // MARK: Sandbox

  func sandbox(attempt: Int) -> Runtime_V1_PodSandboxConfig {
    .with {
      $0.metadata = .with {
        $0.name = pod.name
        $0.namespace = pod.namespace
        $0.uid = pod.uid
        $0.attempt = UInt32(clamping: attempt)
      }
      if !pod.isHostNetwork { $0.hostname = hostname }
      $0.logDirectory = logDirectory
      $0.labels = labels.merging(pod.labels) { own, _ in own }
      $0.annotations = pod.annotations
      if let dns = dnsConfig { $0.dnsConfig = dns }
      $0.linux = .with {
        $0.cgroupParent = PodControlGroup(pod: pod, node: node).group.path
        $0.securityContext = .with {
          $0.namespaceOptions = namespaces
          $0.privileged = isPrivileged
          $0.supplementalGroups = supplementalGroups
          $0.seccomp = .with { $0.profileType = isPrivileged ? .unconfined : .runtimeDefault }
        }
        $0.sysctls = Dictionary(
          pod.spec["securityContext"]["sysctls"].elements.compactMap { item in
            item["name"].string.map { ($0, item["value"].string ?? "") }
          }, uniquingKeysWith: { _, last in last })
      }
    }
  }

  /// There is no cluster DNS here: `ClusterFirst` and `Default` are the node's own resolver. `nil` keeps the node's
  /// file; `None` and additions come from `dnsConfig`.
  var dnsConfig: Runtime_V1_DNSConfig? {
    let wanted = pod.spec["dnsConfig"]
    let isNone = pod.spec["dnsPolicy"].string == "None"
    guard isNone || !wanted.members.isEmpty else { return nil }
    var config = isNone ? Runtime_V1_DNSConfig() : Self.hostResolver()
    config.servers += wanted["nameservers"].elements.compactMap(\.string)
    config.searches += wanted["searches"].elements.compactMap(\.string)
    config.options += wanted["options"].elements.compactMap { option in
      option["name"].string.map { name in option["value"].string.map { "\(name):\($0)" } ?? name }
    }
    return config
  }

  private static func hostResolver() -> Runtime_V1_DNSConfig {
    var config = Runtime_V1_DNSConfig()
    for line in (SmallFile.text("/etc/resolv.conf") ?? "").split(separator: "\n") {
      let words = line.split(separator: " ").map(String.init)
      switch words.first {
      case "nameserver": config.servers += words.dropFirst().prefix(1)
      case "search": config.searches = Array(words.dropFirst())
      case "options": config.options += words.dropFirst()
      default: continue
      }
    }
    return config
  }

  private var supplementalGroups: [Int64] {
    let context = pod.spec["securityContext"]
    return (context["supplementalGroups"].elements.compactMap(\.int) + [context["fsGroup"].int].compactMap(\.self)).map
    {
      Int64($0)
    }
  }

  // MARK: Containers

  /// - Parameters:
  ///   - imageID: what the image resolved to, so that it can't change between pull and creation.
  ///   - hostPaths: of the pod's volumes, by name.
  func container(
    _ container: JSONValue, attempt: Int, imageID: String, environment: ContainerEnvironment,
    hostPaths: [String: String]
  ) throws(PodProblem) -> Runtime_V1_ContainerConfig {
    let name = container["name"].string ?? ""
    let mounts = try self.mounts(container, environment, hostPaths)
    let devices = try self.devices(container, hostPaths)
    let security = try securityContext(container)
    return .with {
      $0.metadata = .with {
        $0.name = name
        $0.attempt = UInt32(clamping: attempt)
      }
      $0.image = .with {
        $0.image = imageID
        $0.userSpecifiedImage = container["image"].string ?? ""
      }
      $0.command = expanded(container["command"], environment)
      $0.args = expanded(container["args"], environment)
      $0.workingDir = container["workingDir"].string ?? ""
      $0.envs = environment.ordered.map { variable in
        .with {
          $0.key = variable.name
          $0.value = Data(variable.value.utf8)
        }
      }
      $0.mounts = mounts
      $0.devices = devices
      $0.labels = labels.merging([PodLabels.container: name]) { _, new in new }
      $0.annotations = [PodLabels.grace: String(pod.graceSeconds)]
      $0.logPath = "\(name)/\(attempt).log"
      $0.stdin = container["stdin"].bool ?? false
      $0.stdinOnce = container["stdinOnce"].bool ?? false
      $0.tty = container["tty"].bool ?? false
      $0.linux = .with {
        $0.resources = ContainerResources.linux(container, pod: pod, nodeMemoryBytes: node.memoryBytes)
        $0.securityContext = security
      }
    }
  }

  private func expanded(_ words: JSONValue, _ environment: ContainerEnvironment) -> [String] {
    words.elements.compactMap(\.string).map { VariableExpansion.expand($0, environment.values) }
  }

  /// Where a container may leave a message for its `terminated` state.
  func terminationLog(_ name: String, attempt: Int) -> String { smallFiles.terminationLog(name, attempt: attempt) }

  var smallFiles: PodSmallFiles { PodSmallFiles(podDirectory: podDirectory) }

  /// Raw block volumes (core/v1 `VolumeDevice`).
  private func devices(_ container: JSONValue, _ hostPaths: [String: String]) throws(PodProblem) -> [Runtime_V1_Device]
  {
    var devices: [Runtime_V1_Device] = []
    for device in container["volumeDevices"].elements {
      guard let name = device["name"].string, let containerPath = device["devicePath"].string else { continue }
      guard let hostPath = hostPaths[name] else {
        throw PodProblem("CreateContainerConfigError", "there is no volume \"\(name)\"")
      }
      // The path of any other volume could be a disk of the node.
      let volume = pod.spec["volumes"].elements.first { $0["name"].string == name }
      guard let volume, !volume["persistentVolumeClaim"].isNull || !volume["ephemeral"].isNull else {
        throw PodProblem(
          "CreateContainerConfigError", "volume \"\(name)\" is no claim: volumeDevices are for claims only")
      }
      guard !FileStatus.isDirectory(hostPath) else {
        throw PodProblem(
          "CreateContainerConfigError",
          "volume \"\(name)\" has a file system: mount it with volumeMounts, or claim it with volumeMode Block")
      }
      devices.append(
        .with {
          $0.hostPath = hostPath
          $0.containerPath = containerPath
          $0.permissions = "mrw"
        })
    }
    return devices
  }

  private func mounts(_ container: JSONValue, _ environment: ContainerEnvironment, _ hostPaths: [String: String])
    throws(PodProblem) -> [Runtime_V1_Mount]
  {
    var mounts: [Runtime_V1_Mount] = []
    for mount in container["volumeMounts"].elements {
      guard let name = mount["name"].string, let containerPath = mount["mountPath"].string else { continue }
      guard var hostPath = hostPaths[name] else {
        throw PodProblem("CreateContainerConfigError", "there is no volume \"\(name)\"")
      }
      let volume = pod.spec["volumes"].elements.first { $0["name"].string == name } ?? .null
      // Nobody writes there, and links are those of whoever made it.
      let isFiles = FileVolumeContents.isFiles(volume) || ImageVolumes.isImage(volume)
      let path =
        mount["subPathExpr"].string.map { VariableExpansion.expand($0, environment.values) } ?? mount["subPath"].string
        ?? ""
      if !path.isEmpty {
        hostPath = try SubPath(path: path, volume: hostPath, isFiles: isFiles).mount(
          in: "\(podDirectory)/volumes/subpath/\(container["name"].string ?? "")", number: mounts.count)
      }
      mounts.append(
        .with {
          $0.hostPath = hostPath
          $0.containerPath = containerPath.hasPrefix("/") ? containerPath : "/" + containerPath
          $0.readonly = isFiles || mount["readOnly"].bool == true
          $0.propagation =
            switch mount["mountPropagation"].string {
            case "HostToContainer": .propagationHostToContainer
            case "Bidirectional": .propagationBidirectional
            default: .propagationPrivate
            }
        })
    }
    // The runtime's own files of these names are on the node's disk, where a container could write without end.
    for (path, file) in smallFiles.systemFiles where !mounts.contains(where: { $0.containerPath == path }) {
      mounts.append(
        .with {
          $0.hostPath = file
          $0.containerPath = path
          $0.readonly = container["securityContext"]["readOnlyRootFilesystem"].bool == true
        })
    }
    return mounts
  }

  /// `/etc/hosts` of the pod's containers.
  func hostsFile(podIP: String) -> String {
    var text = """
      # Written by nagaya.
      127.0.0.1\tlocalhost
      ::1\tlocalhost ip6-localhost ip6-loopback

      """
    if !podIP.isEmpty { text += "\(podIP)\t\(hostname)\n" }
    for alias in pod.spec["hostAliases"].elements {
      let names = alias["hostnames"].elements.compactMap(\.string)
      if let ip = alias["ip"].string, !names.isEmpty { text += "\(ip)\t\(names.joined(separator: "\t"))\n" }
    }
    return text
  }

  /// Whoever wants raw sockets asks for them: the runtime's own set has NET_RAW, with which a pod writes packets in
  /// anybody's name. (In environments of tenants `PodSecurity` refuses to add it.) Ping works without.
  static func capabilities(_ wanted: JSONValue) -> Runtime_V1_Capability {
    let added = wanted["add"].elements.compactMap(\.string)
    let dropped = wanted["drop"].elements.compactMap(\.string)
    // The runtime takes any letters, with `CAP_` or without (containerd, `spec_opts.go`).
    let asksForRaw = added.contains { ["ALL", "NET_RAW", "CAP_NET_RAW"].contains($0.uppercased()) }
    return .with {
      $0.addCapabilities = added
      $0.dropCapabilities = dropped + (asksForRaw || dropped.contains("NET_RAW") ? [] : ["NET_RAW"])
    }
  }

  private func securityContext(_ container: JSONValue) throws(PodProblem) -> Runtime_V1_LinuxContainerSecurityContext {
    let (own, pods) = (container["securityContext"], pod.spec["securityContext"])
    func setting(_ key: String) -> JSONValue { own[key].isNull ? pods[key] : own[key] }
    let isPrivileged = own["privileged"].bool ?? false
    func profile(
      _ value: JSONValue, default standard: Runtime_V1_SecurityProfile.ProfileType,
      localhost: (String) throws(PodProblem) -> String
    ) throws(PodProblem) -> Runtime_V1_SecurityProfile {
      var profile = Runtime_V1_SecurityProfile()
      switch value["type"].string {
      case "Unconfined": profile.profileType = .unconfined
      case "RuntimeDefault": profile.profileType = .runtimeDefault
      case "Localhost":
        profile.profileType = .localhost
        profile.localhostRef = try localhost(value["localhostProfile"].string ?? "")
      default: profile.profileType = standard
      }
      return profile
    }
    let profiles = LocalhostProfiles(directory: node.directory)
    let seccomp = try profile(setting("seccompProfile"), default: isPrivileged ? .unconfined : .runtimeDefault) {
      (name) throws(PodProblem) in
      try profiles.seccomp(name, copiedTo: "\(podDirectory)/seccomp", for: container["name"].string ?? "")
    }
    // Left out, the runtime's own profile applies where the kernel has AppArmor; naming it fails where it has not.
    let appArmor =
      setting("appArmorProfile").isNull
      ? nil
      : try profile(setting("appArmorProfile"), default: .runtimeDefault) { (name) throws(PodProblem) in
        try profiles.appArmor(name)
        return name
      }
    return .with {
      $0.privileged = isPrivileged
      $0.namespaceOptions = namespaces
      $0.readonlyRootfs = own["readOnlyRootFilesystem"].bool ?? false
      $0.noNewPrivs = own["allowPrivilegeEscalation"].bool == false
      $0.supplementalGroups = supplementalGroups
      if let user = setting("runAsUser").int { $0.runAsUser = .with { $0.value = Int64(user) } }
      if let group = setting("runAsGroup").int, setting("runAsUser").int != nil {
        $0.runAsGroup = .with { $0.value = Int64(group) }
      }
      $0.capabilities = Self.capabilities(own["capabilities"])
      $0.seccomp = seccomp
      if let appArmor { $0.apparmor = appArmor }
      if !isPrivileged {
        $0.maskedPaths = [
          "/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
          "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
        ]
        $0.readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
      }
    }
  }
}
