import JSONDocument
import KubernetesAPI
import KubernetesClient

// Where the server asks what the schemas say.
extension APIServer {
  func unknownFields(of json: JSONValue, _ definition: ResourceDefinition) -> [String] {
    ObjectValidator(catalog: registry.schemas).check(json, as: definition.schema).unknownFields
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

  /// Replaces a body in the protobuf form by the same object in JSON.
  /// - Throws: `APIStatus` 413, 415 if the kind has no such form, or 400.
  func translateProtobuf(_ request: inout APIRequest) throws(APIStatus) {
    guard request.body.count <= bodyLimits.bytes else {
      throw APIStatus(.requestEntityTooLarge, "the request body is larger than the limit of \(bodyLimits.bytes) bytes")
    }
    do throws(KubernetesProtobuf.Failure) {
      request.body = try KubernetesProtobuf.decode(
        request.body, catalog: registry.schemas, maximumDepth: bodyLimits.depth).encoded()
      request.contentType = "application/json"
    } catch {
      switch error {
      case .noProtobufForm: throw APIStatus(.unsupportedMediaType, "\(error)")
      case .malformed: throw APIStatus(.badRequest, "\(error)")
      }
    }
  }

  func discovery(_ request: APIRequest) -> APIResponse? { documents.respond(to: request) }
}
