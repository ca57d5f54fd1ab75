import JSONDocument
import KubernetesAPI
import KubernetesClient

extension APIServer {
  func respond(to context: RequestContext, _ subresource: ResourceDefinition.Subresource) async throws(APIStatus)
    -> APIResponse
  {
    switch (subresource, context.verb) {
    case (.status, .get): return try get(context)
    case (.status, .update): return try await update(context)
    case (.status, .patch): return try await patch(context)
    case (.scale, .get): return context.answer(200, try scale(of: existing(context).object(), context).encoded())
    case (.scale, .update), (.scale, .patch): return try await writeScale(context)
    case (.binding, .create): return try await bind(context)
    case (.eviction, .create): return try await evict(context)
    case (.finalize, .update): return try await finalize(context)
    case (.log, .get): return try await log(context)
    default:
      throw APIStatus(
        .methodNotAllowed, "the server does not allow this method on the requested resource",
        resource: context.resource)
    }
  }

  /// A body that is not of the request's own kind.
  private func readOther(_ context: RequestContext, kind: String) throws(APIStatus) -> JSONValue {
    let json = try readBody(context.request).json
    guard case .object = json else {
      throw APIStatus(.badRequest, "the request body must be an object of kind \(kind), not \(json.typeName)")
    }
    if let actual = json["kind"].string, actual != kind {
      throw APIStatus(
        .badRequest, "the kind in the data (\(actual.prefix(80))) does not match the expected kind (\(kind))")
    }
    return json
  }

  /// `POST …/pods/NAME/binding` (core/v1 Binding): gives the pod its node, once.
  private func bind(_ context: RequestContext) async throws(APIStatus) -> APIResponse {
    let binding = try readOther(context, kind: "Binding")
    guard let node = binding["target"]["name"].string, !node.isEmpty else {
      throw APIStatus.invalid(
        context.resource, context.name, [.init(.required, field: "target.name", message: "Required value")])
    }
    if let kind = binding["target"]["kind"].string, !kind.isEmpty, kind != "Node" {
      throw APIStatus.invalid(
        context.resource, context.name,
        [
          .init(
            .notSupported, field: "target.kind",
            message: "Unsupported value: \"\(kind.prefix(80))\": supported values: \"Node\"")
        ])
    }
    _ = try await mutate(context, isDryRun: try context.request.isDryRun()) { (old) throws(APIStatus) in
      if let uid = binding["metadata"]["uid"].string, !uid.isEmpty, uid != old.uid {
        throw APIStatus.conflict(
          context.resource, context.name,
          "Precondition failed: UID in precondition: \(uid.prefix(80)), UID in object meta: \(old.uid)")
      }
      if old.isBeingDeleted {
        throw APIStatus.conflict(
          context.resource, context.name, "pod \(context.name) is being deleted, cannot be assigned to a host")
      }
      if let assigned = old.spec["nodeName"].string, !assigned.isEmpty {
        throw APIStatus.conflict(
          context.resource, context.name, "pod \(context.name) is already assigned to node \"\(assigned)\"")
      }
      var new = old
      new.spec["nodeName"] = .string(node)
      for (key, value) in binding["metadata"]["annotations"].strings {
        new.metadata["annotations"][key] = .string(value)
      }
      Self.setScheduled(&new)
      return .put(new)
    }
    return context.answer(201, Self.success)
  }

  private static func setScheduled(_ pod: inout KubernetesObject) {
    var conditions = pod.status["conditions"].elements.filter { $0["type"].string != "PodScheduled" }
    conditions.append([
      "type": "PodScheduled", "status": "True", "lastTransitionTime": .string(Timestamp.now.wholeSeconds.description),
    ])
    pod.status["conditions"] = .array(conditions)
  }

  /// `POST …/pods/NAME/eviction` (policy/v1 Eviction). There are no disruption budgets, so it is a deletion.
  private func evict(_ context: RequestContext) async throws(APIStatus) -> APIResponse {
    let eviction = try readOther(context, kind: "Eviction")
    let options = try DeleteOptions(json: eviction["deleteOptions"], context.request)
    _ = try await delete(context, options)
    return context.answer(201, Self.success)
  }

  /// `PUT /api/v1/namespaces/NAME/finalize`: takes finalizers out of a namespace's spec; the last one lets it go.
  private func finalize(_ context: RequestContext) async throws(APIStatus) -> APIResponse {
    var context = context
    let rendering = try rendering(context)
    var asked = try readObject(&context)
    try checkName(of: &asked, context)
    let record = try await mutate(context, isDryRun: try context.request.isDryRun()) {
      [context, asked] (old) throws(APIStatus) in
      if !asked.resourceVersion.isEmpty, asked.resourceVersion != old.resourceVersion {
        throw APIStatus.conflict(context.resource, context.name, Self.modified)
      }
      var new = old
      new.spec["finalizers"] = .array(asked.spec["finalizers"].elements)
      let causes = self.faults(of: new, old: old, context)
      guard causes.isEmpty else { throw APIStatus.invalid(context.resource, context.name, causes) }
      return self.afterChange(new, context.resource)
    }
    return context.answer(200, try rendering.document(record))
  }

  /// `GET …/pods/NAME/log`
  private func log(_ context: RequestContext) async throws(APIStatus) -> APIResponse {
    guard let logs else {
      throw APIStatus(.serviceUnavailable, "logs are not available: no node agent is connected to this server")
    }
    let pod = try existing(context).object()
    let request = context.request
    var options = PodLogOptions(
      container: request.parameter("container").flatMap { $0.isEmpty ? nil : $0 }, follow: request.flag("follow"),
      previous: request.flag("previous"), timestamps: request.flag("timestamps"),
      tailLines: try request.number("tailLines"), sinceSeconds: try request.number("sinceSeconds"),
      limitBytes: try request.number("limitBytes"))
    if let text = request.parameter("sinceTime"), !text.isEmpty {
      guard let time = Timestamp(text) else {
        throw APIStatus(.badRequest, "parameter sinceTime: \"\(text.prefix(40))\" is no RFC 3339 time")
      }
      options.sinceTime = time
    }
    return APIResponse(
      status: 200, contentType: "text/plain", body: .stream(try await logs.log(of: pod, options: options)))
  }
}
