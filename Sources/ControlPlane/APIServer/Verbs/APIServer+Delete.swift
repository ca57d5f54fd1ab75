import JSONDocument
import KubernetesAPI
import KubernetesClient

extension APIServer {
  func delete(_ context: RequestContext) async throws(APIStatus) -> APIResponse {
    let rendering = try rendering(context)
    let options = try DeleteOptions(context.request, limits: bodyLimits, schemas: registry.schemas)
    let (record, isGone) = try await delete(context, options)
    if isGone, context.resource != .pods, rendering.form == .object {
      return context.answer(200, Self.success(of: record, context.resource))
    }
    return context.answer(200, try rendering.document(record))
  }

  /// Deletes what the selectors match, one after another; each object as `delete` would.
  func deleteCollection(_ context: RequestContext) async throws(APIStatus) -> APIResponse {
    let filter = try filter(context)
    let options = try DeleteOptions(context.request, limits: bodyLimits, schemas: registry.schemas)
    let first = filter.namespace.map { ObjectKey(namespace: $0, name: "") }
    for (key, record) in cache.snapshot(of: context.kind).map.elements(from: first) {
      if let namespace = filter.namespace, key.namespace != namespace { break }
      guard filter.matches(record) else { continue }
      do throws(APIStatus) { _ = try await delete(context, key: key, options) } catch {
        // Somebody else was faster.
        guard error.isNotFound else { throw error }
      }
    }
    return context.answer(200, Self.success)
  }

  /// `Status` of kind Success (meta/v1).
  static let success = (["apiVersion": "v1", "kind": "Status", "metadata": [:], "status": "Success"] as JSONValue)
    .encoded()

  private static func success(of record: ObjectRecord, _ resource: Resource) -> [UInt8] {
    var status: JSONValue = ["apiVersion": "v1", "kind": "Status", "metadata": [:], "status": "Success"]
    status["details"] = [
      "name": .string(record.key.name), "kind": .string(resource.plural), "uid": .string(record.uid.text),
    ]
    if !resource.group.isEmpty { status["details"]["group"] = .string(resource.group) }
    return status.encoded()
  }

  /// Asks for an object's deletion.
  /// - Returns: the object as it is now, or was last, and whether it is gone.
  func delete(_ context: RequestContext, key: ObjectKey? = nil, _ options: DeleteOptions) async throws(APIStatus)
    -> (ObjectRecord, isGone: Bool)
  {
    let name = (key ?? context.key).name
    var isGone = false
    let record = try await mutate(context, key: key, isDryRun: options.isDryRun) { (old) throws(APIStatus) in
      if let uid = options.uid, uid != old.uid {
        throw APIStatus.conflict(
          context.resource, name,
          "Precondition failed: UID in precondition: \(uid.prefix(80)), UID in object meta: \(old.uid)")
      }
      if let version = options.resourceVersion, version != old.resourceVersion {
        throw APIStatus.conflict(
          context.resource, name,
          "Precondition failed: ResourceVersion in precondition: \(version.prefix(40)), ResourceVersion in object meta: \(old.resourceVersion)"
        )
      }
      let mutation = self.deletion(of: old, context.definition, options)
      if case .remove = mutation { isGone = true } else { isGone = false }
      return mutation
    }
    return (record, isGone)
  }

  private func deletion(of old: KubernetesObject, _ definition: ResourceDefinition, _ options: DeleteOptions)
    -> Mutation
  {
    var new = old
    var finalizers = old.finalizers
    if let propagation = options.propagation {
      finalizers.removeAll { $0 == ObjectDraft.foregroundFinalizer || $0 == ObjectDraft.orphanFinalizer }
      switch propagation {
      case .foreground: finalizers.append(ObjectDraft.foregroundFinalizer)
      case .orphan: finalizers.append(ObjectDraft.orphanFinalizer)
      case .background: break
      }
    }
    if finalizers != old.finalizers { new.finalizers = finalizers }
    let grace = gracePeriod(of: old, definition, options)
    let known = old.metadata["deletionGracePeriodSeconds"].int ?? 0
    if old.isBeingDeleted {
      // A second request may only shorten the wait.
      if grace < known { setDeletion(&new, grace: grace, from: .now) }
    } else {
      setDeletion(&new, grace: grace, from: .now)
      if definition.hasGeneration { new.metadata["generation"] = JSONValue(old.nextGeneration) }
      if definition.resource == .namespaces { NamespaceLife.terminate(&new) }
    }
    return afterChange(new, definition.resource)
  }

  private func setDeletion(_ object: inout KubernetesObject, grace: Int, from now: Timestamp) {
    object.metadata["deletionTimestamp"] = .string(
      now.wholeSeconds.adding(seconds: Int64(grace)).description)
    object.metadata["deletionGracePeriodSeconds"] = JSONValue(grace)
  }

  private func gracePeriod(of object: KubernetesObject, _ definition: ResourceDefinition, _ options: DeleteOptions)
    -> Int
  {
    guard let ordinary = definition.gracePeriodSeconds(object) else { return 0 }
    if definition.resource == .pods {
      // Nobody runs it (yet, or any more), so there is nobody to wait for.
      let phase = object.status["phase"].string
      if object.spec["nodeName"].string ?? "" == "" || phase == "Succeeded" || phase == "Failed" { return 0 }
    }
    return options.gracePeriodSeconds ?? ordinary
  }
}
