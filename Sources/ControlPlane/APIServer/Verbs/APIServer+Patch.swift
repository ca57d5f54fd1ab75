import JSONDocument
import KubernetesAPI
import KubernetesClient

extension APIServer {
  /// The patches this server applies.
  enum PatchKind: Sendable {
    case json
    case merge
    case strategicMerge
  }

  static func patchKind(_ request: APIRequest) throws(APIStatus) -> PatchKind {
    switch RequestBody.mediaType(request.contentType) {
    case "application/json-patch+json": return .json
    case "application/merge-patch+json": return .merge
    case "application/strategic-merge-patch+json": return .strategicMerge
    case "application/apply-patch+yaml", "application/apply-patch+cbor":
      throw APIStatus(
        .unsupportedMediaType,
        "server-side apply is not supported by this server: use client-side apply (kubectl apply --server-side=false)")
    case let other:
      throw APIStatus(
        .unsupportedMediaType,
        "the body of the request was in an unknown format (\((other ?? "none").prefix(80))) - accepted media types include: application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json"
      )
    }
  }

  /// PATCH of an object or of its status. Conflicts with other writers are resolved by applying the patch again,
  /// unless the patch itself names a resourceVersion.
  func patch(_ context: RequestContext) async throws(APIStatus) -> APIResponse {
    let kind = try Self.patchKind(context.request)
    let rendering = try rendering(context)
    let isDryRun = try context.request.isDryRun()
    let body = try readBody(context.request)
    let validation = try context.fieldValidation()
    // Read once more for its warnings, so that they stand in the answer whichever try succeeds.
    var warned = context
    if validation != .ignore, let record = cache.record(context.kind, context.key) {
      _ = try patched(try record.object(), body, kind, &warned)
    }
    let record = try await mutate(context, isDryRun: isDryRun) { (old) throws(APIStatus) in
      var context = context
      let new = try self.patched(old, body, kind, &context)
      return try self.replacement(of: old, by: new, context)
    }
    return warned.answer(200, try rendering.document(record))
  }

  static func tooLarge(_ failure: JSONPatch.Failure, _ context: RequestContext) -> APIStatus {
    APIStatus(
      .requestEntityTooLarge, "\(failure): Request entity too large", resource: context.resource, name: context.name)
  }

  func patched(
    _ old: KubernetesObject, _ body: RequestBody, _ kind: PatchKind, _ context: inout RequestContext
  ) throws(APIStatus) -> KubernetesObject {
    let json: JSONValue
    switch kind {
    case .merge, .strategicMerge:
      guard case .object = body.json else {
        throw APIStatus(.badRequest, "the patch must be an object, not \(body.json.typeName)")
      }
      json =
        kind == .merge
        ? JSONPatch.merge(body.json, into: old.json) : try strategicMerge(body.json, into: old.json, context.definition)
    case .json:
      do throws(JSONPatch.Failure) { json = try JSONPatch.apply(body.json, to: old.json) } catch {
        guard !error.isTooLarge else { throw Self.tooLarge(error, context) }
        throw APIStatus(
          .invalid, "the server rejected our request due to an error in our request: \(error)",
          resource: context.resource, name: context.name,
          // Clients print the causes of what is invalid, not the message.
          causes: [.init(.invalid, field: "patch", message: "\(error)")])
      }
    }
    var object = try object(RequestBody(json: json, duplicateFields: body.duplicateFields), &context)
    try checkName(of: &object, context)
    return object
  }
}

extension RequestBody {
  init(json: JSONValue, duplicateFields: [String]) {
    self.json = json
    self.duplicateFields = duplicateFields
  }
}
