import JSONDocument
import KubernetesAPI
import KubernetesClient

extension APIServer {
  /// The object's `Scale` (autoscaling/v1).
  func scale(of object: KubernetesObject, _ context: RequestContext) -> JSONValue {
    var scale: JSONValue = ["apiVersion": "autoscaling/v1", "kind": "Scale"]
    for key in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
      scale["metadata"].set(key, ifPresent: object.metadata.members[key])
    }
    scale["spec"] = ["replicas": JSONValue(object.spec["replicas"].count ?? 1)]
    scale["status"] = ["replicas": JSONValue(object.status["replicas"].count ?? 0)]
    if let selector = try? LabelSelector(json: object.spec["selector"]), !selector.isEmpty {
      scale["status"]["selector"] = .string(selector.text)
    } else if context.resource == .applications {
      scale["status"]["selector"] = .string("app.nagaya.dev/name=\(object.name)")
    }
    return scale
  }

  /// PUT or PATCH of a `Scale`: changes `spec.replicas` of the object.
  func writeScale(_ context: RequestContext) async throws(APIStatus) -> APIResponse {
    let request = context.request
    let patchKind = context.verb == .patch ? try Self.patchKind(request) : nil
    let body = try readBody(request)
    let record = try await mutate(context, isDryRun: try request.isDryRun()) { (old) throws(APIStatus) in
      let current = self.scale(of: old, context)
      let asked: JSONValue
      switch patchKind {
      case nil: asked = body.json
      case .json:
        do throws(JSONPatch.Failure) { asked = try JSONPatch.apply(body.json, to: current) } catch {
          guard !error.isTooLarge else { throw Self.tooLarge(error, context) }
          throw APIStatus(.invalid, "the server rejected our request due to an error in our request: \(error)")
        }
      default: asked = JSONPatch.merge(body.json, into: current)
      }
      if let kind = asked["kind"].string, kind != "Scale" {
        throw APIStatus(
          .badRequest, "the kind in the data (\(kind.prefix(80))) does not match the expected kind (Scale)")
      }
      if let version = asked["metadata"]["resourceVersion"].string, !version.isEmpty, version != old.resourceVersion {
        throw APIStatus.conflict(context.resource, context.name, Self.modified)
      }
      let replicas = asked["spec"]["replicas"]
      guard let count = replicas.isNull ? 0 : replicas.int, (0...Int(Int32.max)).contains(count) else {
        throw APIStatus.invalid(
          context.resource, context.name,
          [
            .init(
              .invalid, field: "spec.replicas", message: "Invalid value: must be a number greater than or equal to 0")
          ])
      }
      var new = old
      new.spec["replicas"] = JSONValue(count)
      if new == old { return .keep }
      if context.definition.hasGeneration { new.metadata["generation"] = JSONValue(old.nextGeneration) }
      let causes = self.faults(of: new, old: old, context)
      guard causes.isEmpty else { throw APIStatus.invalid(context.resource, context.name, causes) }
      return .put(new)
    }
    return context.answer(200, scale(of: try record.object(), context).encoded())
  }
}
