import JSONDocument
import KubernetesAPI
import KubernetesClient

extension APIServer {
  func create(_ context: RequestContext) async throws(APIStatus) -> APIResponse {
    var context = context
    let rendering = try rendering(context)
    let isDryRun = try context.request.isDryRun()
    var object = try readObject(&context)
    try prepareForCreate(&object, context)
    let isGenerated = object.name.isEmpty
    let prefix = object.metadata["generateName"].string ?? ""
    // A generated name that is taken is made anew; with 27^5 endings that is rare.
    for attempt in 1... {
      if isGenerated { object.metadata["name"] = .string(Self.generatedName(prefix)) }
      if attempt == 1 || isGenerated {
        let causes = faults(of: object, old: nil, context)
        guard causes.isEmpty else { throw APIStatus.invalid(context.resource, object.name, causes) }
        try checkEscalation(object, old: nil, context)
      }
      try admit(old: nil, new: object, context)
      let key = context.key(object.name)
      let draft = ObjectDraft(object, of: context.definition, interner: interner)
      try draft.checkSize(limit: configuration.objectBytes, context.resource)
      let proposal = WriteProposal(
        kind: context.kind, key: key, expected: nil, change: .put(draft),
        usage: quotas.change(context.kind, from: nil, to: object))
      if isDryRun {
        try checkCreation(proposal, context)
        object.metadata.remove("resourceVersion")
        let bytes = object.json.encoded()
        return context.answer(
          201, try rendering.document(ObjectRecord(draft, revision: 0, finalBytes: bytes)))
      }
      do throws(CommitFailure) {
        let record = try await commits.commit(proposal)
        return context.answer(201, try Self.rendered(rendering, record))
      } catch {
        if case .moved = error {
          if isGenerated, attempt < 8 { continue }
          throw APIStatus.alreadyExists(context.resource, key.name)
        }
        throw Self.status(of: error, context.resource, key.name)
      }
    }
    throw APIStatus(.internalError, "no name could be generated")
  }

  private static func rendered(_ rendering: ObjectRendering, _ record: ObjectRecord) throws(CommitFailure) -> [UInt8] {
    do throws(APIStatus) { return try rendering.document(record) } catch { throw .refused(error) }
  }

  private func checkCreation(_ proposal: WriteProposal, _ context: RequestContext) throws(APIStatus) {
    if cache.record(proposal.kind, proposal.key) != nil {
      throw APIStatus.alreadyExists(context.resource, proposal.key.name)
    }
    try NamespaceAdmission(cache: cache, kinds: kinds).check(context.resource, proposal.key)
    var account = BatchAccount()
    try quotas.reserve(proposal, &account)
  }

  /// Sets what the server decides, and checks what the path decides.
  private func prepareForCreate(_ object: inout KubernetesObject, _ context: RequestContext) throws(APIStatus) {
    try checkNamespace(of: &object, context)
    if !object.resourceVersion.isEmpty {
      throw APIStatus(.badRequest, "resourceVersion should not be set on objects to be created")
    }
    if object.name.isEmpty, (object.metadata["generateName"].string ?? "").isEmpty {
      throw APIStatus.invalid(
        context.resource, "",
        [.init(.required, field: "metadata.name", message: "Required value: name or generateName is required")])
    }
    try checkBeforeDefaults(object, old: nil, context)
    for key in ["selfLink", "managedFields", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"] {
      object.metadata.remove(key)
    }
    object.metadata["uid"] = .string(UID.random().text)
    object.metadata["creationTimestamp"] = .string(Timestamp.now.wholeSeconds.description)
    if context.definition.hasGeneration { object.metadata["generation"] = 1 }
    context.definition.prepareForCreate(&object)
    context.definition.applyDefaults(&object)
    if LimitRangeAdmission(cache: cache, kinds: kinds).applyDefaults(to: &object, context.resource) {
      // The quality of service follows from requests and limits.
      context.definition.prepareForCreate(&object)
      context.definition.applyDefaults(&object)
    }
    if context.resource == .pods {
      try ServiceAccountAdmission(objects: self).mountToken(in: &object, suffix: Self.generatedName(""))
    }
    if context.resource == .namespaces { NamespaceLife.begin(&object) }
    // Clients read `status.…` of what they just created: a kind that has a status has one from the beginning.
    if context.definition.subresources.contains(.status), object.status.isNull { object["status"] = [:] }
  }

  /// The object is in the path's namespace, or says nothing of it.
  func checkNamespace(of object: inout KubernetesObject, _ context: RequestContext) throws(APIStatus) {
    if context.resource.isNamespaced {
      guard !context.namespace.isEmpty else {
        throw APIStatus(.badRequest, "an empty namespace may not be set during creation")
      }
      guard object.namespace.isEmpty || object.namespace == context.namespace else {
        throw APIStatus(
          .badRequest, "the namespace of the provided object does not match the namespace sent on the request")
      }
      object.metadata["namespace"] = .string(context.namespace)
    } else {
      guard object.namespace.isEmpty else {
        throw APIStatus(
          .badRequest, "the namespace of the provided object does not match the namespace sent on the request")
      }
      object.metadata.remove("namespace")
    }
  }

  /// Five characters without vowels and digits that look like them, as the field does it: no words by accident.
  static func generatedName(_ prefix: String) -> String {
    let alphabet = Array("bcdfghjklmnpqrstvwxz2456789")
    var name = String(prefix.prefix(58))
    for _ in 0..<5 { name.append(alphabet[Int.random(in: 0..<alphabet.count)]) }
    return name
  }
}

extension Timestamp {
  /// Without a fraction: `metav1.Time` has none.
  var wholeSeconds: Timestamp { Timestamp(seconds: seconds) }
}
