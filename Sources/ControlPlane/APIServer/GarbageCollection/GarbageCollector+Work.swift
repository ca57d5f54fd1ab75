import JSONDocument
import KubernetesAPI
import KubernetesClient

extension GarbageCollector {
  private enum OwnerState {
    case present
    case absent
    /// It is being deleted in the foreground: its dependents go first.
    case waiting
  }

  private func state(of owner: OwnerReference, seenFrom dependent: ObjectPlace) -> OwnerState {
    // An owner of a kind that this server does not know may exist elsewhere; so may one in a namespace, of an object
    // of the cluster. Nothing is deleted on such grounds.
    guard let kind = kinds.find(apiVersion: owner.apiVersion, kind: owner.kind) else { return .present }
    let isNamespaced = kinds.definitions[kind].resource.isNamespaced
    if isNamespaced, !kinds.definitions[dependent.kind].resource.isNamespaced { return .present }
    let key = ObjectKey(namespace: isNamespaced ? dependent.key.namespace : "", name: owner.name)
    guard let record = cache.record(kind, key), record.uid == UID(owner.uid) else {
      // An owner that only cannot be read is there: what it owns would be lost with the hope of its repair.
      return setApart.mayBe(key, kind: kind) ? .present : .absent
    }
    return record.marks.contains(.isBeingDeleted) && record.marks.contains(.waitsForDependents) ? .waiting : .present
  }

  /// A dependent may have an owner in its own namespace, or one of the cluster; a reference means its owner by kind, name
  /// and uid. Whoever writes another object's uid down elsewhere has no say about it.
  private func mayOwn(_ owner: ObjectPlace, _ dependent: ObjectPlace) -> Bool {
    owner.key.namespace.isEmpty || owner.key.namespace == dependent.key.namespace
  }

  private func means(_ reference: OwnerReference, _ owner: ObjectPlace, uid: UID) -> Bool {
    UID(reference.uid) == uid && reference.name == owner.key.name
      && kinds.find(apiVersion: reference.apiVersion, kind: reference.kind) == owner.kind
  }

  /// Tells of references to an owner that exists, but in another namespace, or in one at all while the dependent is an
  /// object of the cluster (upstream's event of the same name).
  private func reportForeignOwners(_ object: KubernetesObject, _ place: ObjectPlace, _ references: [OwnerReference]) {
    guard let namespaces = kinds.find(.namespaces) else { return }
    for reference in references {
      guard let kind = kinds.find(apiVersion: reference.apiVersion, kind: reference.kind),
        kinds.definitions[kind].resource.isNamespaced
      else { continue }
      let uid = UID(reference.uid)
      let isForeign = cache.snapshot(of: namespaces).map.elements().contains { namespace, _ in
        namespace.name != place.key.namespace
          && cache.record(kind, ObjectKey(namespace: namespace.name, name: reference.name))?.uid == uid
      }
      guard isForeign else { continue }
      let scope = place.key.namespace.isEmpty ? "the cluster" : "namespace \"\(place.key.namespace)\""
      events.withLock { $0 }?.record(
        .warning, about: object, reason: "OwnerRefInvalidNamespace",
        message: "ownerRef [\(reference.apiVersion)/\(reference.kind), name: \(reference.name), uid: \(reference.uid)] "
          + "does not exist in \(scope): an owner must be in the same namespace, or of the cluster")
    }
  }

  /// Deletes an object without owners; takes references to absent owners out of one that has others.
  /// - Parameter isNewClaim: its references have just been written; what is wrong with them is told.
  func collect(_ place: ObjectPlace, isNewClaim: Bool = false, on server: APIServer) async throws(APIStatus) {
    guard let record = cache.record(place.kind, place.key), !record.owners.isEmpty else { return }
    let object = try record.object()
    let references = object.ownerReferences
    let states = references.map { state(of: $0, seenFrom: place) }
    if isNewClaim, states.contains(.absent) || place.key.namespace.isEmpty {
      reportForeignOwners(object, place, references)
    }
    guard states.contains(where: { $0 != .present }) else { return }
    let context = context(place, on: server)
    if states.contains(.present) {
      let stale = Set(zip(references, states).filter { $0.1 != .present }.map(\.0.uid))
      try await removeReferences(to: stale, from: place, context, on: server)
      return
    }
    var options = DeleteOptions()
    options.uid = record.uid.text
    let isForeground =
      states.contains(.waiting) && cache.dependents(of: record.uid).contains { mayOwn(place, $0) }
    if isForeground { options.propagation = .foreground }
    logger.debug(
      "deleting an object without owners",
      metadata: ["kind": "\(context.resource.kind)", "object": "\(place.key)"])
    _ = try await server.delete(context, options)
  }

  /// Goes on with a deletion that waits for the object's dependents.
  func release(_ place: ObjectPlace, on server: APIServer) async throws(APIStatus) {
    guard let record = cache.record(place.kind, place.key), record.marks.contains(.isBeingDeleted) else { return }
    let uid = record.uid.text
    let dependents = cache.dependents(of: record.uid).filter { mayOwn(place, $0) }
    if record.marks.contains(.orphansDependents) {
      for dependent in dependents {
        try await removeReferences(to: [uid], from: dependent, context(dependent, on: server), on: server)
      }
      try await removeFinalizer(ObjectDraft.orphanFinalizer, from: place, on: server)
    } else if record.marks.contains(.waitsForDependents) {
      var isBlocked = false
      for dependent in dependents {
        guard let object = try cache.record(dependent.kind, dependent.key)?.object() else { continue }
        let references = object.ownerReferences.filter { means($0, place, uid: record.uid) }
        if references.isEmpty { continue }
        if references.contains(where: \.blocksOwnerDeletion) { isBlocked = true }
        if !object.isBeingDeleted { add(.dependent(dependent)) }
      }
      if !isBlocked { try await removeFinalizer(ObjectDraft.foregroundFinalizer, from: place, on: server) }
    }
  }

  private func removeFinalizer(_ finalizer: String, from place: ObjectPlace, on server: APIServer)
    async throws(APIStatus)
  {
    let context = context(place, on: server)
    _ = try await server.mutate(context) { (old) throws(APIStatus) in
      var new = old
      new.finalizers.removeAll { $0 == finalizer }
      return server.afterChange(new, context.resource)
    }
  }

  private func removeReferences(
    to uids: Set<String>, from place: ObjectPlace, _ context: RequestContext, on server: APIServer
  ) async throws(APIStatus) {
    do throws(APIStatus) {
      _ = try await server.mutate(context) { (old) throws(APIStatus) in
        let kept = old.metadata["ownerReferences"].elements.filter { !uids.contains($0["uid"].string ?? "") }
        var new = old
        if kept.isEmpty {
          new.metadata.remove("ownerReferences")
        } else {
          new.metadata["ownerReferences"] = .array(kept)
        }
        return .put(new)
      }
    } catch {
      guard error.isNotFound else { throw error }
    }
  }

  private func context(_ place: ObjectPlace, on server: APIServer) -> RequestContext {
    RequestContext(
      request: APIRequest(.delete, ""), user: .component("garbage-collector"),
      definition: kinds.definitions[place.kind], kind: place.kind, namespace: place.key.namespace,
      name: place.key.name, subresource: nil, subresourceName: "", verb: .delete)
  }
}
