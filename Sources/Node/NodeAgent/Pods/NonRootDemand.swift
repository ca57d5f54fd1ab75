import JSONDocument
import KubernetesAPI

/// `runAsNonRoot` of a container or its pod (core/v1 `SecurityContext`).
struct NonRootDemand: Sendable {
  private let name: String
  private let user: Int?

  /// - Returns: `nil` if the container may run as root.
  init?(container: JSONValue, pod: KubernetesObject) {
    let (own, pods) = (container["securityContext"], pod.spec["securityContext"])
    func setting(_ key: String) -> JSONValue { own[key].isNull ? pods[key] : own[key] }
    guard setting("runAsNonRoot").bool == true else { return nil }
    name = container["name"].string ?? ""
    user = setting("runAsUser").int
  }

  /// - Parameters:
  ///   - imageUser: the number of the image's user, if it has one.
  ///   - imageUserName: its name otherwise; empty if the image names no user, which means root.
  func check(imageUser: Int64?, imageUserName: String) throws(PodProblem) {
    func refuse(_ why: String, _ remedy: String) -> PodProblem {
      PodProblem("CreateContainerConfigError", "container has runAsNonRoot and \(why) (container: \(name)); \(remedy)")
    }
    if let user {
      if user == 0 { throw refuse("its user is root", "set runAsUser to another user") }
      return
    }
    if imageUser ?? 0 != 0 { return }
    if imageUser == nil, !imageUserName.isEmpty {
      throw refuse(
        "the image's user is a name, \"\(imageUserName)\", of which nobody can tell that it is not root",
        "set runAsUser to its number")
    }
    throw refuse("the image runs as root", "set runAsUser, or build the image with another user")
  }
}
