import APIServer
import CertificateAuthority
import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Testing

/// The real kubectl asks what it may and who it is.
@Suite struct GateKubectlTests {
  /// The access reviews alone, with as much discovery as kubectl needs.
  struct Reviews: APIRequestHandling {
    let reviews: AccessReviews
    func respond(to request: APIRequest, from user: UserInfo) async -> APIResponse {
      if let response = await reviews.respond(to: request, from: user) { return response }
      // What `kubectl` looks up of the resources that the tests ask about.
      let discovery: JSONValue? =
        switch request.path {
        case "/api": ["kind": "APIVersions", "versions": ["v1"]]
        case "/apis": ["kind": "APIGroupList", "apiVersion": "v1", "groups": []]
        case "/api/v1":
          [
            "kind": "APIResourceList", "groupVersion": "v1",
            "resources": [
              ["name": "pods", "singularName": "pod", "namespaced": true, "kind": "Pod", "verbs": ["get", "list"]]
            ],
          ]
        default: nil
        }
      if let discovery { return APIResponse(status: 200, body: .bytes(discovery.encoded())) }
      return APIServer.refusal(APIStatus(.notFound, "the server could not find the requested resource"))
    }
  }

  private func withServer(_ body: @escaping @Sendable (FrontHarness) async throws -> Void) async throws {
    let objects = GateObjects(
      DefaultRoles.objects.map { ($0.kind == "ClusterRole" ? Resource.clusterRoles : .clusterRoleBindings, $0) } + [
        GateObjects.bind("view", in: "blue", GateObjects.user("reader"))
      ])
    let reviews = AccessReviews(authorizer: RBACAuthorizer(objects: objects))
    try await FrontHarness.with(Reviews(reviews: reviews), objects: objects, body)
  }

  @Test func canIAnswersByTheRules() async throws {
    try await withServer { harness in
      let reader = Kubeconfig.User(token: .inline(Array("reader-token".utf8)))
      let root = try harness.authority.issueClient(commonName: "root", organizations: ["system:masters"])
      let admin = Kubeconfig.User(
        clientCertificate: .inline(Array(root.certificatePEM.utf8)), clientKey: .inline(Array(root.privateKeyPEM.utf8)))
      for (user, arguments, answer) in [
        (reader, ["list", "pods", "-n", "blue"], "yes"), (reader, ["list", "pods", "-n", "green"], "no"),
        (reader, ["delete", "pods", "-n", "blue"], "no"),
        (reader, ["get", "pods", "--subresource=log", "-n", "blue"], "yes"),
        (admin, ["*", "*"], "yes"), (reader, ["*", "*"], "no"), (reader, ["get", "/version"], "yes"),
        (reader, ["get", "/metrics"], "no"),
      ] {
        let result = try await harness.kubectl(user, ["auth", "can-i"] + arguments)
        #expect(result.output.split(separator: "\n").last.map(String.init) == answer, "\(arguments): \(result.errors)")
      }
      let list = try await harness.kubectl(reader, ["auth", "can-i", "--list", "-n", "blue"])
      #expect(list.status == 0, "\(list.errors)")
      #expect(list.output.contains("pods/log") && list.output.contains("applications.nagaya.dev"), "\(list.output)")
    }
  }

  @Test func whoamiTellsNameAndGroups() async throws {
    try await withServer { harness in
      let certificate = try harness.authority.issueClient(commonName: "alice", organizations: ["ops"])
      let user = Kubeconfig.User(
        clientCertificate: .inline(Array(certificate.certificatePEM.utf8)),
        clientKey: .inline(Array(certificate.privateKeyPEM.utf8)))
      let result = try await harness.kubectl(user, ["auth", "whoami", "-o", "json"])
      #expect(result.status == 0, "\(result.errors)")
      let info = try JSONValue(parsing: result.output)["status"]["userInfo"]
      #expect(info["username"] == "alice")
      #expect(info["groups"] == ["ops", "system:authenticated"])
      let stranger = try await harness.kubectl(
        Kubeconfig.User(token: .inline(Array("no-such-token".utf8))), ["auth", "whoami"])
      #expect(stranger.status != 0)
      #expect(stranger.errors.contains("Unauthorized") || stranger.errors.contains("logged in"), "\(stranger.errors)")
    }
  }
}
