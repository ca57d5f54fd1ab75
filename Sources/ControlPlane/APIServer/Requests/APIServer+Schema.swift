import JSONDocument
import KubernetesAPI
import KubernetesClient

// Where the server asks what the schemas say.
extension APIServer {
  /// Takes the fields out that the kind's schema does not have.
  /// - Returns: their paths; at most `ObjectValidator.maximumFindings`.
  func dropUnknownFields(of json: inout JSONValue, _ definition: ResourceDefinition) -> [String] {
    let findings = ObjectValidator(catalog: registry.schemas).prune(json, as: definition.schema)
    if let pruned = findings.pruned { json = pruned }
    return findings.unknownFields
  }

  func schemaFaults(of json: JSONValue, _ definition: ResourceDefinition) -> [APIStatus.Cause] {
    ObjectValidator(catalog: registry.schemas).check(json, as: definition.schema).causes
  }

  func strategicMerge(_ patch: JSONValue, into target: JSONValue, _ definition: ResourceDefinition) throws(APIStatus)
    -> JSONValue
  {
    do throws(JSONPatch.Failure) {
      return try StrategicMergePatch.apply(
        patch, to: target, schema: definition.schema, catalog: registry.schemas)
    } catch {
      throw APIStatus(.badRequest, error.description, resource: definition.resource)
    }
  }

  func discovery(_ request: APIRequest) -> APIResponse? { documents.respond(to: request) }
}
