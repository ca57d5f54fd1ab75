import JSONDocument
import KubernetesAPI
import KubernetesClient

/// The app that `make up` ends with.
enum SampleApp {
  static let name = "welcome"
  static let tenant = "demo"
  static let environment = "dev"
  static let namespace = "\(tenant)-\(environment)"

  /// Creates the app if it is not there, and waits until it is ready.
  static func start(_ client: KubernetesClient) async throws {
    let began = ContinuousClock.now
    try await create(client)
    let ready = try await waitUntilReady(client)
    let milliseconds = Int((ContinuousClock.now - began) / .milliseconds(1))
    StartupProgress.show(
      Instance.Step(name: "sample app", detail: ready.status["endpoint"].string ?? "", milliseconds: milliseconds))
  }

  private static func create(_ client: KubernetesClient) async throws {
    var app = KubernetesObject(.applications, namespace: namespace, name: name)
    app.spec = ["image": "nagaya.local/hello:1", "port": 8080]
    do { try await client.create(app, as: .applications) } catch let status as APIStatus where status.isAlreadyExists {}
  }

  private static func waitUntilReady(_ client: KubernetesClient) async throws -> KubernetesObject {
    let deadline = ContinuousClock.now + .seconds(60)
    var last = "nothing yet"
    while ContinuousClock.now < deadline {
      let app = try await client.get(.applications, namespace: namespace, name: name)
      if app.isConditionTrue("Ready") { return app }
      let condition = app.condition("Ready") ?? .null
      last = "\(condition["reason"].string ?? "") \(condition["message"].string ?? "")"
      try await Task.sleep(for: .milliseconds(50))
    }
    throw CommandFailure(
      "the sample app \(namespace)/\(name) is not ready: \(last)",
      remedy: "look at it with `nagaya describe app \(name) -n \(namespace)`")
  }
}
