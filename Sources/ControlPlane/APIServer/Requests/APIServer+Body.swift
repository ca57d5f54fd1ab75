import JSONDocument
import KubernetesAPI
import KubernetesClient

extension APIServer {
  /// What a body may be, and what it may become: aliases, copies and defaults are counted against it.
  var bodyLimits: JSONLimits {
    JSONLimits(
      depth: configuration.bodyDepth, bytes: configuration.bodyBytes, values: configuration.bodyValues)
  }

  /// The body as an object of the request's kind, without nulls; complaints about fields as the client wants them.
  func readObject(_ context: inout RequestContext) throws(APIStatus) -> KubernetesObject {
    try object(readBody(context.request), &context)
  }

  /// The body as a tree, whatever its media type.
  func readBody(_ request: APIRequest) throws(APIStatus) -> RequestBody {
    try RequestBody(request, limits: bodyLimits, schemas: registry.schemas)
  }

  func object(_ body: RequestBody, _ context: inout RequestContext) throws(APIStatus) -> KubernetesObject {
    guard case .object = body.json else {
      throw APIStatus(.badRequest, "the request body must be an object, not \(body.json.typeName)")
    }
    var object = KubernetesObject(json: body.json)
    try checkKind(&object, context.resource)
    try checkFields(&object.json, duplicates: body.duplicateFields, &context)
    return object
  }

  func checkKind(_ object: inout KubernetesObject, _ resource: Resource) throws(APIStatus) {
    if !object.apiVersion.isEmpty, object.apiVersion != resource.apiVersion {
      throw APIStatus(
        .badRequest,
        "the API version in the data (\(object.apiVersion.prefix(80))) does not match the expected API version (\(resource.apiVersion))"
      )
    }
    if !object.kind.isEmpty, object.kind != resource.kind {
      throw APIStatus(
        .badRequest,
        "the kind in the data (\(object.kind.prefix(80))) does not match the expected kind (\(resource.kind))")
    }
    object["apiVersion"] = .string(resource.apiVersion)
    object["kind"] = .string(resource.kind)
    if let metadata = object.json.members["metadata"], metadata.typeName != "object", !metadata.isNull {
      throw APIStatus(.badRequest, "metadata must be an object, not \(metadata.typeName)")
    }
    try checkMetadataTypes(object.metadata)
  }

  /// What the server itself reads of the metadata has the right types.
  private func checkMetadataTypes(_ metadata: JSONValue) throws(APIStatus) {
    for (key, value) in metadata.members where !value.isNull {
      let expected: String
      switch key {
      case "name", "generateName", "namespace", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp":
        expected = "string"
      case "labels", "annotations":
        expected = "object"
        for (name, text) in value.members where text.string == nil && !text.isNull {
          throw APIStatus(
            .badRequest, "metadata.\(key): the value of \"\(name.prefix(80))\" must be a string, not \(text.typeName)")
        }
      case "finalizers":
        expected = "array"
        for element in value.elements where element.string == nil && !element.isNull {
          throw APIStatus(.badRequest, "metadata.finalizers must hold strings, not \(element.typeName)")
        }
      case "ownerReferences":
        expected = "array"
        for element in value.elements where element.typeName != "object" && !element.isNull {
          throw APIStatus(.badRequest, "metadata.ownerReferences must hold objects, not \(element.typeName)")
        }
      case "generation", "deletionGracePeriodSeconds": expected = "integer"
      default: continue
      }
      guard value.typeName == expected else {
        throw APIStatus(.badRequest, "metadata.\(key) must be of type \(expected), not \(value.typeName)")
      }
    }
  }

  /// Unknown and duplicate fields: refused, or dropped with or without a warning. Of duplicates the last one counts.
  private func checkFields(_ json: inout JSONValue, duplicates: [String], _ context: inout RequestContext)
    throws(APIStatus)
  {
    let validation = try context.fieldValidation()
    let unknown = dropUnknownFields(of: &json, context.definition)
    guard validation != .ignore else { return }
    let complaints = duplicates.map { "duplicate field \"\($0)\"" } + unknown.map { "unknown field \"\($0)\"" }
    guard !complaints.isEmpty else { return }
    if validation == .warn {
      context.warnings += complaints
      return
    }
    throw APIStatus(
      .badRequest,
      "\(context.resource.kind) in version \"\(context.resource.version)\" cannot be handled as a \(context.resource.kind): strict decoding error: \(complaints.prefix(20).joined(separator: ", "))"
    )
  }
}
