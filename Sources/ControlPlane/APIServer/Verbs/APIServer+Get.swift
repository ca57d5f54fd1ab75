import KubernetesAPI
import KubernetesClient

extension APIServer {
  func get(_ context: RequestContext) throws(APIStatus) -> APIResponse {
    let rendering = try rendering(context)
    return context.answer(200, try rendering.document(try existing(context)))
  }

  /// The object that the request names.
  func existing(_ context: RequestContext) throws(APIStatus) -> ObjectRecord {
    guard let record = cache.record(context.kind, context.key) else {
      if let damage = setApart.refusal(ofReading: context.key, kind: context.kind, kinds) { throw damage }
      throw APIStatus.notFound(context.resource, context.name)
    }
    return record
  }

  func rendering(_ context: RequestContext) throws(APIStatus) -> ObjectRendering {
    var table = ObjectRendering.TableOptions()
    if let text = context.request.parameter("includeObject"), !text.isEmpty {
      guard let value = TableRenderer.IncludedObject(rawValue: text) else {
        throw APIStatus(.badRequest, "invalid parameter includeObject: use None, Metadata or Object")
      }
      table.includedObject = value
    }
    return ObjectRendering(
      form: try ResponseForm(accept: context.request.accept), definition: context.definition, table: table,
      counters: counting, tableRenderer: tables[context.kind])
  }

  func filter(_ context: RequestContext) throws(APIStatus) -> ObjectFilter {
    try ObjectFilter(
      definition: context.definition, namespace: context.namespace.isEmpty ? nil : context.namespace,
      labels: context.request.parameter("labelSelector"), fields: context.request.parameter("fieldSelector"))
  }
}
