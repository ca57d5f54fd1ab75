import JSONDocument
import KubernetesAPI
import KubernetesClient

// Where the server asks what the schemas say.
extension APIServer {
  func unknownFields(of json: JSONValue, _ definition: ResourceDefinition) -> [String] { [] }

  func schemaFaults(of json: JSONValue, _ definition: ResourceDefinition) -> [APIStatus.Cause] { [] }

  func strategicMerge(_ patch: JSONValue, into target: JSONValue, _ definition: ResourceDefinition) throws(APIStatus)
    -> JSONValue
  {
    JSONPatch.merge(patch, into: target)
  }

  func discovery(_ request: APIRequest) -> APIResponse? { nil }
}
