import KubernetesAPI
import ObjectStore

/// What a change makes of an object.
enum Mutation: Sendable {
  case put(KubernetesObject)
  case remove
  /// Nothing is written.
  case keep
}

extension APIServer {
  /// Tries of a change that may be repeated when others write the same object. Of all that try at once one succeeds
  /// each time, so this bounds how many may write one object at the same moment.
  private static let tries = 1000

  /// Reads the object, changes it, and commits it if nobody else has changed it meanwhile; otherwise once more.
  /// `change` throws a conflict itself if it may only be applied to one certain version.
  /// - Returns: the object as it is after the change; of a removal, its last state.
  func mutate(
    _ context: RequestContext, key: ObjectKey? = nil, isDryRun: Bool = false,
    _ change: (KubernetesObject) throws(APIStatus) -> Mutation
  ) async throws(APIStatus) -> ObjectRecord {
    let key = key ?? context.key
    for _ in 0..<Self.tries {
      guard let record = cache.record(context.kind, key) else {
        throw APIStatus.notFound(context.resource, key.name)
      }
      let old = try record.object()
      let proposal: WriteProposal
      switch try change(old) {
      case .keep: return record
      case .remove:
        try admit(old: old, new: nil, context)
        if isDryRun { return record }
        proposal = WriteProposal(
          kind: context.kind, key: key, expected: record.revision, change: .remove,
          usage: quotas.change(context.kind, from: old, to: nil))
      case .put(let new):
        let draft = ObjectDraft(new, of: context.definition, interner: interner)
        let unchanged = draft.finished(with: record.revision)
        // A write that changes nothing is none: same bytes, same resourceVersion.
        if unchanged == record.bytes { return record }
        try draft.checkSize(limit: configuration.objectBytes, before: record.bytes.count, context.resource)
        try admit(old: old, new: new, context)
        if isDryRun { return ObjectRecord(draft, revision: record.revision, finalBytes: unchanged) }
        proposal = WriteProposal(
          kind: context.kind, key: key, expected: record.revision, change: .put(draft),
          usage: quotas.change(context.kind, from: old, to: new))
      }
      do throws(CommitFailure) {
        return try await commits.commit(proposal)
      } catch {
        guard case .moved = error else { throw Self.status(of: error, context.resource, key.name) }
      }
    }
    throw APIStatus.conflict(context.resource, key.name, "it is being changed too often; please try again")
  }

  static func status(of failure: CommitFailure, _ resource: Resource, _ name: String) -> APIStatus {
    switch failure {
    case .moved(nil): .notFound(resource, name)
    case .moved: .conflict(resource, name, modified)
    case .refused(let status): status
    case .store(.full(let path)):
      APIStatus(
        .insufficientStorage,
        "the write was not stored: the disk of \(directory(of: path)), where \(path) is, is full. Nothing was changed, reads go on. Free space on that disk or enlarge it, then repeat the write",
        resource: resource, name: name)
    case .store(let error):
      APIStatus(.internalError, "the write could not be stored: \(error)", resource: resource, name: name)
    }
  }

  private static func directory(of path: String) -> Substring {
    path.lastIndex(of: "/").map { path[..<$0] } ?? path[...]
  }

  static let modified = "the object has been modified; please apply your changes to the latest version and try again"
}
