import JSONDocument
import KubernetesAPI
import KubernetesClient
import TestSupport
import Testing

@testable import APIServer

/// Who gets a token of their service account mounted: who asks for it, and nobody else.
@Suite struct ServiceAccountAdmissionTests {
  private static func with(_ body: @Sendable (KubernetesClient) async throws -> Void) async throws {
    try await APIServer.withInMemory(registry: .standard) { server in try await body(server.client()) }
  }

  private static func pod(_ name: String, automount: Bool?, account: String? = nil) -> KubernetesObject {
    var pod = KubernetesObject(.pods, namespace: "default", name: name)
    let own: JSONValue = [["name": "mine", "mountPath": .string(ServiceAccountAdmission.mountPath)]]
    pod.spec = [
      "volumes": [["name": "mine", "emptyDir": [:]]],
      "initContainers": [["name": "first", "image": "i"]],
      "containers": [
        ["name": "one", "image": "i"], ["name": "two", "image": "i", "volumeMounts": own],
      ],
    ]
    if let automount { pod.spec["automountServiceAccountToken"] = .bool(automount) }
    if let account { pod.spec["serviceAccountName"] = .string(account) }
    return pod
  }

  private static let choices: [Bool?] = [nil, false, true]

  @Test(arguments: choices, choices)
  func `the pod says it, else its account; who says nothing gets none`(pod: Bool?, account: Bool?) async throws {
    try await Self.with { client in
      var robot = KubernetesObject(.serviceAccounts, namespace: "default", name: "robot")
      if let account { robot["automountServiceAccountToken"] = .bool(account) }
      try await client.create(robot, as: .serviceAccounts)
      let made = try await client.create(Self.pod("p", automount: pod, account: "robot"), as: .pods)
      let volumes = made.spec["volumes"].elements.filter { $0["name"].string?.hasPrefix("kube-api-access-") ?? false }
      guard pod ?? account ?? false else {
        #expect(volumes.isEmpty && made.tokenProjections.isEmpty)
        #expect(made.spec["containers"][0]["volumeMounts"].elements.isEmpty)
        return
      }
      let name = try #require(volumes.first?["name"].string)
      #expect(volumes.count == 1 && name.utf8.count == "kube-api-access-".utf8.count + 5)
      #expect(volumes[0]["projected"]["defaultMode"].int == 0o644)
      let mount: JSONValue = [
        "name": .string(name), "readOnly": true, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
      ]
      for container in [made.spec["initContainers"][0], made.spec["containers"][0]] {
        #expect(container["volumeMounts"] == [mount])
      }
      // Who has something of their own there keeps it.
      #expect(made.spec["containers"][1]["volumeMounts"].elements.compactMap { $0["name"].string } == ["mine"])
      let token = try #require(made.tokenProjections.first)
      #expect(token.isForAPI && token.seconds == 3607 && token.path == "token" && made.tokenProjections.count == 1)
      let sources = volumes[0]["projected"]["sources"].elements
      #expect(sources.contains { $0["configMap"]["name"].string == "kube-root-ca.crt" })
      #expect(sources.contains { $0["downwardAPI"]["items"][0]["path"].string == "namespace" })
      // As it was admitted it can be written again.
      try await client.update(made, as: .pods)
    }
  }

  @Test func `who asks for an account that is not there is told so`() async throws {
    try await Self.with { client in
      let status = try await #require(throws: APIStatus.self) {
        try await client.create(Self.pod("p", automount: true, account: "nobody"), as: .pods)
      }
      #expect(status.code == 403 && status.message.contains("serviceaccount \"nobody\" not found"))
      // Who wants no token needs no account.
      try await client.create(Self.pod("q", automount: nil, account: "nobody"), as: .pods)
    }
  }

  @Test func `the account of a pod that names none is default, from then on`() async throws {
    try await Self.with { client in
      try await client.create(
        KubernetesObject(.serviceAccounts, namespace: "default", name: "default"), as: .serviceAccounts)
      let made = try await client.create(Self.pod("p", automount: true), as: .pods)
      #expect(made.spec["serviceAccountName"] == "default" && made.spec["serviceAccount"] == "default")
      // A token is no change that a pod may make later.
      var other = try await client.create(Self.pod("q", automount: nil), as: .pods)
      other.spec["volumes"] = made.spec["volumes"]
      await #expect(throws: APIStatus.self) { try await client.update(other, as: .pods) }
    }
  }

  @Test(arguments: ["/absolute", "../up", ""])
  func `a token lies in its volume`(path: String) async throws {
    try await Self.with { client in
      var pod = Self.pod("p", automount: nil)
      pod.spec["volumes"] = [
        ["name": "mine", "projected": ["sources": [["serviceAccountToken": ["path": .string(path)]]]]]
      ]
      let status = try await #require(throws: APIStatus.self) { try await client.create(pod, as: .pods) }
      #expect(status.code == 422 && status.message.contains("serviceAccountToken.path"), "\(status.message)")
    }
  }
}
