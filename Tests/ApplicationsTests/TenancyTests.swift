import JSONDocument
import KubernetesAPI
import KubernetesClient
import Tenancy
import TestSupport
import Testing

@Suite("Tenants")
struct TenancyTests {
  private static func tenant(_ change: (inout JSONValue) -> Void = { _ in }) -> KubernetesObject {
    var tenant = KubernetesObject(.tenants, name: "shop")
    tenant.spec = [
      "environments": ["dev", "prod"],
      "members": [
        ["kind": "User", "name": "ann", "role": "admin"], ["kind": "Group", "name": "crew", "role": "edit"],
      ],
      "quota": ["hard": ["pods": "10"]],
    ]
    change(&tenant.spec)
    return tenant
  }
  private static let admin = DesiredEnvironment(
    of: Tenant(tenant()), namespace: "shop-dev", environment: "dev"
  ).bindings[0].name

  @Test("become namespaces, bindings and quotas, which follow the tenant and are written only when they differ")
  func follow() async throws {
    try await Household.run { house in
      try await house.client.create(Self.tenant(), as: .tenants)
      let tenant = try await house.ready(.tenants, "shop", reason: "")
      #expect(tenant?.status["namespaces"] == ["shop-dev", "shop-prod"])
      #expect(try await house.get(.namespaces, "shop-dev")?.labels[Tenant.label] == "shop")
      let binding = try await house.get(.roleBindings, Self.admin, namespace: "shop-prod")
      #expect(binding?["roleRef"]["name"].string == "admin")
      #expect(binding?["subjects"][0]["name"].string == "ann")
      let quota = try await house.get(.resourceQuotas, DesiredEnvironment.quotaName, namespace: "shop-dev")
      #expect(quota?.spec["hard"]["pods"].string == "10")
      let before = try await house.settled()
      try await house.client.patch(.tenants, name: "shop", ["metadata": ["annotations": ["note": "x"]]])
      var after = try await house.settled()
      after["Tenant shop"] = before["Tenant shop"]
      #expect(after == before)
      // Revoked, and no longer limited.
      try await house.client.patch(
        .tenants, name: "shop",
        ["spec": ["members": [["kind": "Group", "name": "crew", "role": "edit"]], "quota": nil]])
      let isRevoked: Bool? = try await house.eventually {
        let left = try await house.client.list(.roleBindings).items.filter { $0.name == Self.admin }
        let quotas = try await house.client.list(.resourceQuotas).items
        return left.isEmpty && quotas.isEmpty ? true : nil
      }
      #expect(isRevoked == true)
    }
  }

  @Test("get the platform's bounds where they say none, once, and their own where they do; and their level")
  func defaults() async throws {
    let defaults = TenantDefaults(quota: ["pods": "7"], limits: ["default": ["memory": "64Mi"]])
    try await Household.run(defaults: defaults) { house in
      var said = KubernetesObject(.tenants, name: "bank")
      said.spec = [
        "environments": ["dev", "prod"], "quota": ["hard": [:]], "limits": ["max": ["memory": "1Gi"]],
        "podSecurity": ["environments": ["prod": "restricted"]],
      ]
      try await house.client.create(said, as: .tenants)
      var silent = KubernetesObject(.tenants, name: "shop")
      silent.spec = ["environments": ["dev"]]
      try await house.client.create(silent, as: .tenants)
      #expect(try await house.ready(.tenants, "bank", reason: "") != nil)
      #expect(try await house.ready(.tenants, "shop", reason: "") != nil)
      let name = DesiredEnvironment.quotaName
      #expect(try await house.get(.resourceQuotas, name, namespace: "shop-dev")?.spec["hard"] == ["pods": "7"])
      let limits = try await house.get(.limitRanges, name, namespace: "shop-dev")
      #expect(limits?.spec["limits"][0]["default"] == ["memory": "64Mi"])
      #expect(try await house.get(.resourceQuotas, name, namespace: "bank-dev") == nil)
      let own = try await house.get(.limitRanges, name, namespace: "bank-prod")
      #expect(own?.spec["limits"][0]["max"] == ["memory": "1Gi"])
      #expect(try await house.get(.namespaces, "bank-dev")?.labels[PodSecurityLevel.label] == nil)
      #expect(try await house.get(.namespaces, "bank-prod")?.labels[PodSecurityLevel.label] == "restricted")
      // Taken away later, it stays away.
      try await house.client.patch(.tenants, name: "shop", ["spec": ["quota": nil]])
      let isGone: Bool? = try await house.eventually {
        try await house.get(.resourceQuotas, name, namespace: "shop-dev") == nil ? true : nil
      }
      #expect(isGone == true)
    }
  }

  @Test("keep a namespace that is no longer listed, and leave a foreign one alone")
  func keep() async throws {
    try await Household.run { house in
      try await house.client.create(KubernetesObject(.namespaces, name: "shop-prod"), as: .namespaces)
      try await house.client.create(Self.tenant(), as: .tenants)
      let taken = try await house.ready(.tenants, "shop", reason: "NameTaken")
      #expect(taken?.status["namespaces"] == ["shop-dev"])
      #expect(try await house.get(.namespaces, "shop-prod")?.labels[Tenant.label] == nil)
      try await house.client.patch(.tenants, name: "shop", ["spec": ["environments": ["test"]]])
      let unlisted = try await house.ready(.tenants, "shop", reason: "EnvironmentUnlisted")
      #expect(unlisted?.condition("Ready")?["message"].string?.contains("shop-dev") == true)
      #expect(try await house.get(.namespaces, "shop-dev")?.isBeingDeleted == false)
    }
  }

  @Test("are not deleted with apps inside, unless that is confirmed by name")
  func deletion() async throws {
    try await Household.run { house in
      try await house.client.create(Self.tenant(), as: .tenants)
      #expect(try await house.ready(.tenants, "shop", reason: "") != nil)
      var app = makeApplication("till")
      app.metadata["namespace"] = "shop-dev"
      try await house.client.create(app, as: .applications)
      try await house.client.delete(.tenants, name: "shop")
      let held: KubernetesObject? = try await house.eventually {
        guard let tenant = try await house.get(.tenants, "shop"),
          tenant.condition("Ready")?["reason"].string == "NamespacesInUse"
        else { return nil }
        return tenant
      }
      #expect(held?.condition("Ready")?["message"].string?.contains("shop-dev holds app till") == true)
      #expect(try await house.get(.namespaces, "shop-dev")?.isBeingDeleted == false)
      try await house.client.patch(
        .tenants, name: "shop", ["metadata": ["annotations": ["nagaya.dev/confirm-deletion": "shop"]]])
      let isGoing: Bool? = try await house.eventually {
        guard let namespace = try await house.get(.namespaces, "shop-dev") else { return true }
        return namespace.isBeingDeleted ? true : nil
      }
      #expect(isGoing == true)
    }
  }

  struct Attempt: Sendable, CustomTestStringConvertible {
    let what: String
    var old: [String: String]?
    var new: [String: String]?
    var name = "shop-x"
    var user = UserInfo(name: "eve", groups: ["system:authenticated"])
    var isAllowed = false
    var testDescription: String { what }
  }

  static let attempts: [Attempt] = [
    Attempt(what: "make one in a tenant's name", new: [:]),
    Attempt(what: "make one elsewhere", new: [:], name: "shopping", isAllowed: true),
    Attempt(what: "make one with a label", new: [Tenant.label: "shop"], name: "mine"),
    Attempt(what: "take a label on", old: [:], new: [Tenant.label: "shop"], name: "mine"),
    Attempt(what: "take a label off", old: [Tenant.label: "shop"], new: [:]),
    Attempt(
      what: "change another label", old: [Tenant.label: "shop"], new: [Tenant.label: "shop", "a": "b"], isAllowed: true),
    Attempt(what: "delete a tenant's", old: [Tenant.label: "shop"]),
    Attempt(what: "delete another", old: [:], name: "mine", isAllowed: true),
    Attempt(what: "as the controller", new: [Tenant.label: "shop"], user: UserInfo(name: "tenancy"), isAllowed: true),
    Attempt(
      what: "as an administrator", new: [Tenant.label: "shop"],
      user: UserInfo(name: "root", groups: ["system:masters"]),
      isAllowed: true),
  ]

  @Test("guard their namespaces at admission", arguments: attempts)
  func admission(attempt: Attempt) {
    let refusal = TenantAdmission(controllerUser: "tenancy").refusal(
      old: attempt.old.map { KubernetesObject(.namespaces, name: attempt.name, labels: $0) },
      new: attempt.new.map { KubernetesObject(.namespaces, name: attempt.name, labels: $0) }, by: attempt.user,
      tenants: ["shop"])
    #expect((refusal == nil) == attempt.isAllowed)
  }
}
