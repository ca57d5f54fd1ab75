import APIServer
import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import Logging
import Testing

/// A few kinds without schemas: what the server itself does does not depend on them.
enum SmallRegistry {
  static let widgets = Resource(group: "test.nagaya.dev", version: "v1", plural: "widgets", kind: "Widget")

  static let registry = ResourceRegistry(
    [
      ResourceDefinition(
        .namespaces, singular: "namespace", schema: "none", nameRule: .dnsLabel, subresources: [.status, .finalize]),
      ResourceDefinition(
        .pods, singular: "pod", schema: "none",
        selectableFields: [
          SelectableField("spec.nodeName") { $0.spec["nodeName"].string ?? "" },
          SelectableField("status.phase") { $0.status["phase"].string ?? "" },
        ], subresources: [.status, .log, .binding, .eviction],
        gracePeriodSeconds: { $0.spec["terminationGracePeriodSeconds"].int ?? 30 }),
      ResourceDefinition(.configMaps, singular: "configmap", schema: "none"),
      ResourceDefinition(.nodes, singular: "node", schema: "none", subresources: [.status]),
      ResourceDefinition(
        .persistentVolumeClaims, singular: "persistentvolumeclaim", schema: "none", subresources: [.status]),
      ResourceDefinition(.resourceQuotas, singular: "resourcequota", schema: "none", subresources: [.status]),
      ResourceDefinition(
        .replicaSets, singular: "replicaset", schema: "none", subresources: [.status, .scale], hasGeneration: true),
      ResourceDefinition(
        .deployments, singular: "deployment", schema: "none", subresources: [.status, .scale], hasGeneration: true),
      ResourceDefinition(
        widgets, singular: "widget", schema: "none", subresources: [.status], hasGeneration: true,
        applyDefaults: { if $0.spec["size"].isNull { $0.spec["size"] = 1 } },
        validate: { new, _ in
          (new.spec["size"].int ?? 0) < 0
            ? [.init(.invalid, field: "spec.size", message: "Invalid value: must not be negative")] : []
        }),
    ], schemas: SchemaCatalog())
}

/// A logger that says nothing.
let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

func configMap(
  _ name: String, namespace: String = "default", labels: [String: String] = [:], _ data: [String: String] = [:]
)
  -> KubernetesObject
{
  var object = KubernetesObject(.configMaps, namespace: namespace, name: name, labels: labels)
  if !data.isEmpty { object["data"] = .strings(data) }
  return object
}

/// Runs `body` with a server in memory whose background services run.
func withServer<Result: Sendable>(
  _ configuration: APIServerConfiguration = APIServerConfiguration(), namespaces: [String] = ["default"],
  _ body: @Sendable (APIServer, KubernetesClient) async throws -> Result
) async throws -> Result {
  try await APIServer.withInMemory(
    registry: SmallRegistry.registry, configuration: configuration, logger: quiet, namespaces: namespaces
  ) { server in
    try await body(server, server.client())
  }
}

/// The refusal that `body` ends with.
func refusal(sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void) async -> APIStatus? {
  do {
    try await body()
    Issue.record("nothing was refused", sourceLocation: sourceLocation)
    return nil
  } catch let status as APIStatus {
    return status
  } catch {
    Issue.record(error, sourceLocation: sourceLocation)
    return nil
  }
}
