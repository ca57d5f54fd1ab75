import JSONDocument
import KubernetesAPI
import KubernetesClient

extension ClusterExamination {
  /// What the nodes' kernels and runtimes can do for lazy images, hooks and volumes. Nodes with the same are told together.
  static func nodes(_ nodes: [KubernetesObject]) -> [Diagnosis] {
    if nodes.isEmpty { return [Diagnosis(.warning, "nodes", "there are no nodes")] }
    var groups: [Diagnosis: [String]] = [:]
    for node in nodes {
      for diagnosis in Self.look(at: node) { groups[diagnosis, default: []].append(node.name) }
    }
    return groups.sorted { ($1.key.level, $0.key.message) < ($0.key.level, $1.key.message) }.map { diagnosis, names in
      Diagnosis(
        diagnosis.level, diagnosis.check, "\(share(names, of: nodes.count)): \(diagnosis.message)",
        remedy: diagnosis.remedy)
    }
  }

  /// `2 of 5 nodes (a, b)`, with at most three names.
  static func share(_ names: [String], of count: Int) -> String {
    let some = names.sorted().prefix(3).joined(separator: ", ")
    return "\(names.count) of \(count) nodes (\(some)\(names.count > 3 ? ", …" : ""))"
  }

  private static func look(at node: KubernetesObject) -> [Diagnosis] {
    let facts = node.status["nodeInfo"]
    var found = [
      kernel(facts["kernelVersion"].string ?? ""), runtime(facts["containerRuntimeVersion"].string ?? ""),
      architecture(facts["architecture"].string ?? "", system: facts["operatingSystem"].string ?? ""),
    ]
    if node.name.utf8.count > 63 {
      found.append(
        Diagnosis(
          .warning, "storage", "the name has more than 63 characters: volumes cannot carry it as a label",
          remedy: "no volumes are made there; give the node a shorter name"))
    }
    if !node.isConditionTrue("Ready") { found.append(Diagnosis(.warning, "nodes", "not ready")) }
    return found
  }

  /// docs/images.md, "Kernels".
  static func kernel(_ text: String) -> Diagnosis {
    guard let version = numbers(text) else {
      return Diagnosis(.notice, "images", "the kernel \"\(text.prefix(40))\" is not known here")
    }
    if version >= (6, 14) {
      return Diagnosis(
        .ok, "images", "Linux \(version.0).\(version.1): lazy images, by the kernel's own asking (fanotify)")
    }
    if version >= (6, 12) {
      return Diagnosis(
        .notice, "images", "Linux \(version.0).\(version.1): lazy images by FUSE until a layer is complete",
        remedy: "nothing needs to be done; from Linux 6.14 on the kernel asks by itself")
    }
    return Diagnosis(
      .warning, "images",
      "Linux \(version.0).\(version.1) has no mounts of EROFS from files: images are not lazy there",
      remedy: "Linux 6.12 or newer (Debian 13, RHEL 10); volumes and hooks work without")
  }

  /// docs/hooks.md and docs/images.md.
  static func runtime(_ text: String) -> Diagnosis {
    guard text.hasPrefix("containerd://"), let version = numbers(text) else {
      return Diagnosis(
        .warning, "hooks", "the runtime is \(text.isEmpty ? "unknown" : String(text.prefix(60))), not containerd",
        remedy: "hooks and lazy images are made for containerd; volumes work without")
    }
    if version >= (2, 1) { return Diagnosis(.ok, "hooks", "\(text): hooks and lazy images") }
    if version >= (2, 0) {
      return Diagnosis(
        .notice, "images", "\(text): hooks work, lazy images want containerd 2.1", remedy: "upgrade containerd")
    }
    return Diagnosis(
      .warning, "hooks", "\(text) has NRI off unless it was switched on, and no lazy images",
      remedy: "containerd 2.1, or disable = false in [plugins.\"io.containerd.nri.v1.nri\"] for hooks alone")
  }

  static func architecture(_ text: String, system: String) -> Diagnosis {
    if text == "amd64", system.isEmpty || system == "linux" { return Diagnosis(.ok, "nodes", "linux/amd64") }
    return Diagnosis(
      .warning, "nodes",
      "\(system.isEmpty ? "linux" : system)/\(text.isEmpty ? "unknown" : text): Nagaya is built for linux/amd64",
      remedy: "keep Nagaya's pods from there: nodeSelector kubernetes.io/arch: amd64")
  }
}
