import APIServer
import Applications
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import Tenancy

/// An API server in memory with the platform's controllers, and what tests need of it.
struct Household: Sendable {
  let client: KubernetesClient

  static func run(
    grace: Duration = .seconds(300), defaults: TenantDefaults = .none,
    _ body: @Sendable (Household) async throws -> Void
  ) async throws {
    var logger = Logger(label: "test")
    logger.logLevel = .warning
    let quiet = logger
    try await APIServer.withInMemory(logger: quiet, namespaces: ["demo-dev"]) { server in
      let client = server.client()
      try await client.patch(
        .namespaces, name: "demo-dev",
        ["metadata": ["labels": ["nagaya.dev/tenant": "demo", "nagaya.dev/environment": "dev"]]])
      let applications = ApplicationController(
        client: client, address: PublicAddress(domain: "nagaya.test", port: 8443), removedVolumeGrace: grace,
        logger: quiet)
      let tenants = TenantController(client: client, defaults: defaults, logger: quiet)
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await applications.run() }
        group.addTask { try await tenants.run() }
        defer { group.cancelAll() }
        try await body(Household(client: client))
      }
    }
  }

  /// Polls until `value` gives something; at most 10 s.
  func eventually<Value>(_ value: () async throws -> Value?) async throws -> Value? {
    let end = ContinuousClock.now + .seconds(10)
    while ContinuousClock.now < end {
      if let value = try await value() { return value }
      try await Task.sleep(for: .milliseconds(5))
    }
    return try await value()
  }

  func get(_ resource: Resource, _ name: String, namespace: String = "demo-dev") async throws -> KubernetesObject? {
    try await client.getIfPresent(resource, namespace: resource.isNamespaced ? namespace : "", name: name)
  }

  /// The object once its Ready condition has this reason and is about its newest generation.
  func ready(_ resource: Resource, _ name: String, reason: String) async throws -> KubernetesObject? {
    try await eventually {
      guard let object = try await get(resource, name), object.condition("Ready")?["reason"].string == reason,
        object.status["observedGeneration"].int == object.generation
      else { return nil }
      return object
    }
  }

  /// Every object of the platform's kinds with its resourceVersion, to see that nothing is written.
  func versions() async throws -> [String: String] {
    var result: [String: String] = [:]
    let kinds: [Resource] = [
      .applications, .deployments, .services, .persistentVolumeClaims, .tenants, .namespaces, .roleBindings,
      .resourceQuotas,
    ]
    for kind in kinds {
      for object in try await client.list(kind).items { result["\(kind.kind) \(object.key)"] = object.resourceVersion }
    }
    return result
  }

  /// Waits until nothing has been written for a while.
  func settled() async throws -> [String: String] {
    var last = try await versions()
    while true {
      try await Task.sleep(for: .milliseconds(150))  // long against a reconcile
      let now = try await versions()
      if now == last { return now }
      last = now
    }
  }
}

func makeApplication(_ name: String = "web", _ change: (inout JSONValue) -> Void = { _ in }) -> KubernetesObject {
  var object = KubernetesObject(.applications, namespace: "demo-dev", name: name)
  object.spec = ["image": "nagaya.local/hello:1"]
  change(&object.spec)
  return object
}
