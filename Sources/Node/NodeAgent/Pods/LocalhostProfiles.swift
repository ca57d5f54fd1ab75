import JSONDocument
import KubernetesAPI
import LinuxSystem

/// Seccomp and AppArmor profiles of type `Localhost` (core/v1 `SeccompProfile`, `AppArmorProfile`): those that an
/// administrator has laid out for tenants in `S/node/seccomp` and `S/node/apparmor`, and no other file of the node.
///
/// Every failure is told in the same words: what else is on the node, and what is in it, is not a tenant's to learn.
struct LocalhostProfiles {
  /// `S/node`
  let directory: String
  /// Bytes of a profile. The largest in use have some tens of KiB.
  static let limit = 1 << 20

  /// Copies a seccomp profile to where only the node agent writes, so that the runtime reads what was checked.
  /// - Parameters:
  ///   - name: relative, below `S/node/seccomp`.
  ///   - place: a directory of the pod's.
  ///   - container: the container's name, which is the copy's.
  /// - Returns: the copy's path.
  func seccomp(_ name: String, copiedTo place: String, for container: String) throws(PodProblem) -> String {
    guard let bytes = read(name, in: "seccomp"), let profile = try? JSONValue(parsing: bytes),
      profile["defaultAction"].string != nil
    else {
      throw PodProblem(
        "CreateContainerConfigError",
        "there is no seccomp profile \"\(name)\" for pods: an administrator puts profiles, as JSON, into node/seccomp of "
          + "the state directory")
    }
    do throws(SystemError) {
      try Directory.make(place, permissions: 0o700)
      let copy = "\(place)/\(container).json"
      try SmallFile.write(bytes, to: copy, permissions: 0o600)
      return copy
    } catch { throw PodProblem("CreateContainerConfigError", "the seccomp profile can't be kept: \(error)") }
  }

  /// Checks that an AppArmor profile is for pods; the kernel has it loaded under the same name.
  func appArmor(_ name: String) throws(PodProblem) {
    guard read(name, in: "apparmor") != nil, name != "unconfined" else {
      throw PodProblem(
        "CreateContainerConfigError",
        "there is no AppArmor profile \"\(name)\" for pods: an administrator loads it and puts its source into "
          + "node/apparmor of the state directory")
    }
  }

  private func read(_ name: String, in kind: String) -> [UInt8]? {
    guard Names.isProfileName(name) else { return nil }
    return try? RootedDirectory("\(directory)/\(kind)").find(name).read(limit: Self.limit)
  }
}
