import APIServer
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Testing

@testable import nagaya

/// What a start makes of an instance that an earlier version began.
@Suite struct BootstrapTests {
  private static let group = "rbac.authorization.k8s.io"

  @Test func `roles of an earlier version are brought up to date, and those that are to be kept are kept`() async throws
  {
    let server = try await APIServer.inMemory()
    let client = server.client()
    try await Bootstrap(client: client).run()
    #expect(try await client.getIfPresent(.tenants, name: Bootstrap.demoTenant.name) != nil)
    try await client.delete(.tenants, name: Bootstrap.demoTenant.name)
    // As an earlier version left them: without the annotation, with less in them, and with something of the users' own.
    let own: JSONValue = ["verbs": ["use"], "apiGroups": ["example.com"], "resources": ["things"]]
    var edit = try await client.get(.clusterRoles, name: "edit")
    let wanted = edit["rules"]
    edit["rules"] = [wanted[0], own]
    edit.annotations = [:]
    try await client.update(edit, as: .clusterRoles)
    var view = try await client.get(.clusterRoles, name: "view")
    view["rules"] = [own]
    view.annotations = [RoleReconciliation.annotation: "false"]
    try await client.update(view, as: .clusterRoles)
    // A part's role with more than it needs, and another that somebody keeps narrower.
    let part = PartIdentity.edge.role.object
    var edge = try await client.get(.clusterRoles, name: part.name)
    edge["rules"] = [["verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]]]
    try await client.update(edge, as: .clusterRoles)
    var node = try await client.get(.clusterRoles, name: "system:node")
    node["rules"] = [own]
    node.annotations = [RoleReconciliation.annotation: "false"]
    try await client.update(node, as: .clusterRoles)
    // A default binding that stands for something else, and one that lacks a subject.
    try await client.delete(.clusterRoleBindings, name: "system:discovery")
    var other = KubernetesObject(.clusterRoleBindings, name: "system:discovery")
    other["roleRef"] = ["apiGroup": .string(Self.group), "kind": "ClusterRole", "name": "cluster-admin"]
    other["subjects"] = [["apiGroup": .string(Self.group), "kind": "User", "name": "mallory"]]
    try await client.create(other, as: .clusterRoleBindings)
    var info = try await client.get(.clusterRoleBindings, name: "system:public-info-viewer")
    let subjects = info["subjects"]
    info["subjects"] = [subjects[1]]
    try await client.update(info, as: .clusterRoleBindings)

    try await Bootstrap(client: client).run()
    #expect(try await client.getIfPresent(.tenants, name: Bootstrap.demoTenant.name) == nil, "users may delete it")
    let after = try await client.get(.clusterRoles, name: "edit")
    #expect(after["rules"].elements.contains(own))
    #expect(wanted.elements.allSatisfy(after["rules"].elements.contains))
    #expect(after.annotations == DefaultRoles.annotations)
    #expect(try await client.get(.clusterRoles, name: "view")["rules"] == [own])
    #expect(try await client.get(.clusterRoles, name: part.name)["rules"] == part["rules"])
    #expect(try await client.get(.clusterRoles, name: "system:node")["rules"] == [own])
    let discovery = try await client.get(.clusterRoleBindings, name: "system:discovery")
    #expect(discovery["roleRef"]["name"] == "system:discovery")
    #expect(discovery["subjects"].elements.map { $0["name"] } == ["system:authenticated"])
    #expect(
      Set(try await client.get(.clusterRoleBindings, name: info.name)["subjects"].elements) == Set(subjects.elements))
    // A start that finds everything as it should be writes nothing.
    let versions = try await client.list(.clusterRoles).items.map(\.resourceVersion)
    try await Bootstrap(client: client).run()
    #expect(try await client.list(.clusterRoles).items.map(\.resourceVersion) == versions)
  }
}
