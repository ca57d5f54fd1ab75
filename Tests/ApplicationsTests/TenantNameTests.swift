import JSONDocument
import KubernetesAPI
import KubernetesClient
import TestSupport
import Testing

@testable import Tenancy

@Suite("Names that tenants may not have")
struct TenantNameTests {
  @Test("are refused with words", arguments: ["www", "api", "localhost", "nagaya", "login", "xn--dem-vna", "ab--c"])
  func refused(name: String) async throws {
    try await Household.run { house in
      var tenant = KubernetesObject(.tenants, name: name)
      tenant.spec = ["environments": ["dev"]]
      do {
        try await house.client.create(tenant, as: .tenants)
        Issue.record("tenant \(name) was made")
      } catch let status as APIStatus {
        #expect(status.code == 422 && status.causes.first?.field == "metadata.name", "\(status)")
      }
      // The same label by hand gives no host, either.
      #expect(TenantEnvironment(tenant: name, name: "dev") == nil)
    }
  }

  @Test("of tenants that were there before are told by their condition")
  func reported() {
    var object = KubernetesObject(.tenants, name: "www")
    object.spec = ["environments": ["dev"]]
    let condition = TenantController.condition(Tenant(object), taken: [], unlisted: [])
    #expect(condition.reason == "NameReserved" && condition.message.contains("reserved for the platform"))
    object.metadata["name"] = "shop"
    #expect(TenantController.condition(Tenant(object), taken: [], unlisted: []).reason == "")
  }

  @Test("an app in a namespace of no tenant runs, has no address, and says so; it gets one with the labels")
  func noTenant() async throws {
    try await Household.run { house in
      try await house.client.create(KubernetesObject(.namespaces, name: "shop-x"), as: .namespaces)
      var app = makeApplication("web")
      app.metadata["namespace"] = "shop-x"
      try await house.client.create(app, as: .applications)
      func status() async throws -> JSONValue {
        try await house.client.get(.applications, namespace: "shop-x", name: "web").status
      }
      try await eventually("the controller has looked") { try await status()["observedGeneration"].int != nil }
      #expect(try await status()["endpoint"].string == nil)
      try await house.client.patch(
        .namespaces, name: "shop-x",
        ["metadata": ["labels": ["nagaya.dev/tenant": "shop", "nagaya.dev/environment": "x"]]])
      try await eventually("it has an address") {
        try await status()["endpoint"].string == "https://web.x.shop.nagaya.test:8443"
      }
      // Labels that mean another namespace give none.
      try await house.client.patch(
        .namespaces, name: "shop-x", ["metadata": ["labels": ["nagaya.dev/environment": "y"]]])
      try await eventually("it has none") { try await status()["endpoint"].string == nil }
    }
  }
}
