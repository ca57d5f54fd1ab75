import JSONDocument
import KubernetesAPI
import KubernetesClient

extension APIServer {
  /// PUT of an object or of its status.
  func update(_ context: RequestContext) async throws(APIStatus) -> APIResponse {
    var context = context
    let rendering = try rendering(context)
    let isDryRun = try context.request.isDryRun()
    var object = try readObject(&context)
    try checkName(of: &object, context)
    let new = object
    let record = try await mutate(context, isDryRun: isDryRun) { [context] (old) throws(APIStatus) in
      try self.replacement(of: old, by: new, context)
    }
    return context.answer(200, try rendering.document(record))
  }

  func checkName(of object: inout KubernetesObject, _ context: RequestContext) throws(APIStatus) {
    try checkNamespace(of: &object, context)
    guard object.name.isEmpty || object.name == context.name else {
      throw APIStatus(
        .badRequest,
        "the name of the object (\(object.name.prefix(253))) does not match the name on the URL (\(context.name))")
    }
    object.metadata["name"] = .string(context.name)
  }

  /// What becomes of `old` when a client writes `asked`.
  func replacement(of old: KubernetesObject, by asked: KubernetesObject, _ context: RequestContext) throws(APIStatus)
    -> Mutation
  {
    if !asked.uid.isEmpty, asked.uid != old.uid {
      throw APIStatus.conflict(
        context.resource, context.name,
        "Precondition failed: UID in precondition: \(asked.uid.prefix(80)), UID in object meta: \(old.uid)")
    }
    if !asked.resourceVersion.isEmpty, asked.resourceVersion != old.resourceVersion {
      throw APIStatus.conflict(context.resource, context.name, Self.modified)
    }
    var new: KubernetesObject
    switch context.subresource {
    case .status:
      new = old
      new["status"] = asked.json.members["status"] ?? [:]
      // A node tells of a pod by annotations, too, with one write (Kubernetes' pods, likewise).
      if context.resource == .pods { new.annotations = asked.annotations }
    default:
      try checkBeforeDefaults(asked, old: old, context)
      new = asked
      if context.definition.subresources.contains(.status) {
        new["status"] = old.json.members["status"] ?? [:]
      }
      keepMetadata(of: old, in: &new)
      if context.resource == .namespaces, let finalizers = old.spec.members["finalizers"] {
        new.spec["finalizers"] = finalizers
      }
      context.definition.applyDefaults(&new)
      if context.definition.hasGeneration, Self.differsInSpec(old, new) {
        new.metadata["generation"] = JSONValue(old.nextGeneration)
      }
    }
    let causes = faults(of: new, old: old, context)
    guard causes.isEmpty else { throw APIStatus.invalid(context.resource, context.name, causes) }
    try checkEscalation(new, old: old, context)
    return afterChange(new, context.resource)
  }

  /// What only the server may set, and what may never change.
  private func keepMetadata(of old: KubernetesObject, in new: inout KubernetesObject) {
    for key in ["selfLink", "managedFields"] { new.metadata.remove(key) }
    for key in [
      "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "generateName",
      "resourceVersion",
    ] {
      if let value = old.metadata.members[key] { new.metadata[key] = value } else { new.metadata.remove(key) }
    }
  }

  private static func differsInSpec(_ old: KubernetesObject, _ new: KubernetesObject) -> Bool {
    func rest(_ object: KubernetesObject) -> JSONValue {
      var json = object.json
      json.remove("metadata")
      json.remove("status")
      return json
    }
    return rest(old) != rest(new)
  }

  /// A deleted object goes as soon as nothing holds it any more.
  func afterChange(_ object: KubernetesObject, _ resource: Resource) -> Mutation {
    let isFree =
      object.isBeingDeleted && object.finalizers.isEmpty && !NamespaceLife.isHeld(object, resource)
      && object.metadata["deletionGracePeriodSeconds"].int ?? 0 == 0
    return isFree ? .remove : .put(object)
  }
}
