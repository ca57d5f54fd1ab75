import JSONDocument
import KubernetesAPI

extension FieldFaults {
  /// The seccomp and AppArmor profiles of a pod's or container's security context (core/v1 `SeccompProfile`,
  /// `AppArmorProfile`): a profile of the node is named, never a path.
  mutating func checkSecurityProfiles(_ field: String, _ context: JSONValue) {
    for key in ["seccompProfile", "appArmorProfile"] where !context[key].isNull {
      let (place, profile) = ("\(field).\(key)", context[key])
      if (profile["type"].string ?? "").isEmpty { required("\(place).type") }
      checkChoice("\(place).type", profile["type"], ["Localhost", "RuntimeDefault", "Unconfined"])
      let name = profile["localhostProfile"]
      guard profile["type"].string == "Localhost" else {
        if !name.isNull { invalid("\(place).localhostProfile", name, "can only be set when type is Localhost") }
        continue
      }
      guard !name.isNull else {
        required("\(place).localhostProfile", "must be set when type is Localhost")
        continue
      }
      if !Names.isProfileName(name.string ?? "") {
        invalid("\(place).localhostProfile", name, Self.profileNameRule)
      }
    }
  }

  /// AppArmor profiles by annotation, as before Kubernetes 1.30.
  mutating func checkAppArmorAnnotations(_ annotations: [String: String]) {
    for (key, value) in annotations.sorted(by: { $0.key < $1.key })
    where key.hasPrefix("container.apparmor.security.beta.kubernetes.io/") {
      let local = "localhost/"
      let isGood =
        ["", "runtime/default", "unconfined"].contains(value)
        || value.hasPrefix(local) && Names.isProfileName(String(value.dropFirst(local.count)))
      if !isGood { invalid("metadata.annotations[\(key)]", .string(value), "invalid AppArmor profile name") }
    }
  }

  private static let profileNameRule =
    "must be the name of a profile that an administrator put on the node: a relative path of letters, digits, '-', '_' and "
    + "'.', without '..'"
}
