import JSONDocument
import KubernetesAPI

extension PodSecurity {
  /// What the profile "restricted" of the Kubernetes Pod Security Standards asks for beside baseline. Other than baseline it
  /// wants things said: what is left out is wrong. The exemptions for Windows do not hold: there are no such nodes.
  /// - Parameter spec: of a pod.
  static func restrictedFaults(of spec: JSONValue, at place: String) -> [APIStatus.Cause] {
    var faults = Restricted()
    faults.checkVolumes(spec["volumes"], at: "\(place).volumes")
    let pod = spec["securityContext"]
    faults.checkUser(pod["runAsUser"], at: "\(place).securityContext.runAsUser")
    let isNonRoot = pod["runAsNonRoot"].bool == true
    let hasProfile = faults.isProfile(pod["seccompProfile"])
    for key in ["initContainers", "containers", "ephemeralContainers"] {
      for (index, container) in spec[key].elements.enumerated() {
        let own = "\(place).\(key)[\(index)].securityContext"
        let context = container["securityContext"]
        faults.checkContainer(context, at: own)
        faults.checkNonRoot(context["runAsNonRoot"], podSaysSo: isNonRoot, at: "\(own).runAsNonRoot")
        faults.checkProfile(context["seccompProfile"], podHasOne: hasProfile, at: "\(own).seccompProfile.type")
      }
    }
    return faults.causes
  }
}

/// The controls of the profile, one function each.
private struct Restricted {
  private(set) var causes: [APIStatus.Cause] = []

  private static let volumes: Set<String> = [
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret",
  ]

  private mutating func forbid(_ field: String, _ must: String, _ why: String) {
    causes.append(.init(.forbidden, field: field, message: "Forbidden: \(must): \(why) (level restricted)"))
  }

  /// "Volume Types"
  mutating func checkVolumes(_ volumes: JSONValue, at place: String) {
    for (index, volume) in volumes.elements.enumerated() {
      for (kind, source) in volume.members.sorted(by: { $0.key < $1.key })
      where kind != "name" && !source.isNull && !Self.volumes.contains(kind) {
        forbid("\(place)[\(index)].\(kind)", "must be left out", "volumes of this kind reach beyond the pod")
      }
    }
  }

  /// "Privilege Escalation", "Running as Non-root user", "Capabilities"
  mutating func checkContainer(_ context: JSONValue, at place: String) {
    if context["allowPrivilegeEscalation"].bool != false {
      forbid("\(place).allowPrivilegeEscalation", "must be false", "a program must not gain rights by starting another")
    }
    checkUser(context["runAsUser"], at: "\(place).runAsUser")
    let capabilities = context["capabilities"]
    if !capabilities["drop"].elements.contains("ALL") {
      forbid("\(place).capabilities.drop", "must contain ALL", "a program needs none of root's rights")
    }
    for (index, added) in capabilities["add"].elements.enumerated() where added != "NET_BIND_SERVICE" {
      forbid(
        "\(place).capabilities.add[\(index)]", "only NET_BIND_SERVICE is allowed",
        "a program needs none of root's rights")
    }
  }

  mutating func checkUser(_ user: JSONValue, at place: String) {
    if user.int == 0 { forbid(place, "must not be 0", "programs may not run as root") }
  }

  /// "Running as Non-root": said by the pod or by every container; no container may take it back.
  mutating func checkNonRoot(_ value: JSONValue, podSaysSo: Bool, at place: String) {
    if value.bool == true || (value.isNull && podSaysSo) { return }
    forbid(place, "must be true, here or for the pod", "programs may not run as root")
  }

  /// "Seccomp": as non-root.
  mutating func checkProfile(_ profile: JSONValue, podHasOne: Bool, at place: String) {
    if isProfile(profile) || (profile.isNull && podHasOne) { return }
    forbid(place, "must be RuntimeDefault or Localhost, here or for the pod", "system calls are to be filtered")
  }

  func isProfile(_ profile: JSONValue) -> Bool { ["RuntimeDefault", "Localhost"].contains(profile["type"].string) }
}
