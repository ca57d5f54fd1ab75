import JSONDocument
import KubernetesAPI
import KubernetesClient
import TestSupport
import Testing

/// Seccomp and AppArmor profiles that are no names of an administrator's profiles.
@Suite struct ProfileAttacks {
  static let names = [
    "/etc/passwd", "/dev/zero", "../../../etc/passwd", "a/../../b", "..", ".", "./a", "a//b", "/", "a/", "",
    "localhost//etc/passwd", "a b", "a\nb", "..\u{301}/a", "file:///etc/passwd", String(repeating: "a", count: 300),
  ]
  static let places = ["pod", "container", "init container", "deployment", "annotation"]

  private static func spec(_ place: String, _ kind: String, _ name: String) -> JSONValue {
    let context: JSONValue = [kind: ["type": "Localhost", "localhostProfile": .string(name)]]
    var spec: JSONValue = ["containers": [["name": "main", "image": "nagaya.local/box:1"]]]
    switch place {
    case "container":
      spec["containers"] = [["name": "main", "image": "nagaya.local/box:1", "securityContext": context]]
    case "init container":
      spec["initContainers"] = [["name": "first", "image": "nagaya.local/box:1", "securityContext": context]]
    case "annotation": break
    default: spec["securityContext"] = context
    }
    return spec
  }

  private static func create(_ place: String, _ kind: String, _ name: String, _ client: KubernetesClient) async throws {
    if place == "deployment" {
      var deployment = KubernetesObject(.deployments, namespace: AttackStage.mine, name: "d")
      deployment.spec = [
        "selector": ["matchLabels": ["a": "b"]],
        "template": ["metadata": ["labels": ["a": "b"]], "spec": spec("pod", kind, name)],
      ]
      try await client.create(deployment, as: .deployments)
      return
    }
    var pod = KubernetesObject(.pods, namespace: AttackStage.mine, name: "p")
    pod.spec = spec(place, kind, name)
    if place == "annotation" {
      pod.annotations = ["container.apparmor.security.beta.kubernetes.io/main": "localhost/\(name)"]
    }
    try await client.create(pod, as: .pods)
  }

  @Test("a profile is named, not a path of the node", arguments: places, ["seccompProfile", "appArmorProfile"])
  func paths(place: String, kind: String) async throws {
    try await AttackStage.with { stage in
      for name in Self.names {
        let held = try await attempt(
          Attack(.editor, "\(kind) \(name.prefix(30).debugDescription) of a \(place)", on: .nodeFiles)
        ) {
          do { try await Self.create(place, kind, name, stage.client("editor")) } catch let status as APIStatus {
            return .check(status.code == 422 || status.code == 403, status.message)
          }
          return .through("it was stored")
        }
        #expect(held)
      }
      try await Self.create(place, kind, "tenants/no-clone.json", stage.client("editor"))
    }
  }
}
