import ContainerdAPI
import GRPCCore
import LayerStore
import SwiftProtobuf

/// containerd's `Snapshots` service: messages in, messages out.
struct SnapshotsService: Containerd_Services_Snapshots_V1_Snapshots.SimpleServiceProtocol {
  let snapshotter: Snapshotter
  let calls: CallRegister

  /// Snapshots of one message of `List`.
  static let listBlock = 100

  func prepare(request: Containerd_Services_Snapshots_V1_PrepareSnapshotRequest, context: ServerContext) async throws
    -> Containerd_Services_Snapshots_V1_PrepareSnapshotResponse
  {
    let mounts = try await answering(context, "Prepare \(Self.short(request.key))") {
      try await snapshotter.prepare(request.key, parent: request.parent, labels: request.labels)
    }
    return .with { $0.mounts = mounts.map(\.message) }
  }

  func view(request: Containerd_Services_Snapshots_V1_ViewSnapshotRequest, context: ServerContext) async throws
    -> Containerd_Services_Snapshots_V1_ViewSnapshotResponse
  {
    let mounts = try await answering(context, "View \(Self.short(request.key))") {
      try await snapshotter.view(request.key, parent: request.parent, labels: request.labels)
    }
    return .with { $0.mounts = mounts.map(\.message) }
  }

  func mounts(request: Containerd_Services_Snapshots_V1_MountsRequest, context: ServerContext) async throws
    -> Containerd_Services_Snapshots_V1_MountsResponse
  {
    let mounts = try await answering(context, "Mounts \(Self.short(request.key))") {
      try await snapshotter.mounts(request.key)
    }
    return .with { $0.mounts = mounts.map(\.message) }
  }

  func commit(request: Containerd_Services_Snapshots_V1_CommitSnapshotRequest, context: ServerContext) async throws
    -> Google_Protobuf_Empty
  {
    try await answering(context, "Commit \(Self.short(request.key))") {
      try await snapshotter.commit(request.key, as: request.name, labels: request.labels, parent: request.parent)
    }
    return .init()
  }

  func remove(request: Containerd_Services_Snapshots_V1_RemoveSnapshotRequest, context: ServerContext) async throws
    -> Google_Protobuf_Empty
  {
    try await answering(context, "Remove \(Self.short(request.key))") { try await snapshotter.remove(request.key) }
    return .init()
  }

  func stat(request: Containerd_Services_Snapshots_V1_StatSnapshotRequest, context: ServerContext) async throws
    -> Containerd_Services_Snapshots_V1_StatSnapshotResponse
  {
    let info = try await answering(context, "Stat \(Self.short(request.key))") {
      try await snapshotter.info(request.key)
    }
    return .with { $0.info = info.message }
  }

  func update(request: Containerd_Services_Snapshots_V1_UpdateSnapshotRequest, context: ServerContext) async throws
    -> Containerd_Services_Snapshots_V1_UpdateSnapshotResponse
  {
    let info = try await answering(context, "Update \(Self.short(request.info.name))") {
      try await snapshotter.update(
        request.info.name, labels: request.info.labels, fields: request.updateMask.paths)
    }
    return .with { $0.info = info.message }
  }

  func list(
    request: Containerd_Services_Snapshots_V1_ListSnapshotsRequest,
    response: RPCWriter<Containerd_Services_Snapshots_V1_ListSnapshotsResponse>, context: ServerContext
  ) async throws {
    let infos = try await answering(context, "List") { try await snapshotter.list(request.filters) }
    for start in stride(from: 0, to: infos.count, by: Self.listBlock) {
      let block = infos[start..<min(start + Self.listBlock, infos.count)]
      try await response.write(.with { $0.info = block.map(\.message) })
    }
  }

  func usage(request: Containerd_Services_Snapshots_V1_UsageRequest, context: ServerContext) async throws
    -> Containerd_Services_Snapshots_V1_UsageResponse
  {
    let usage = try await answering(context, "Usage \(Self.short(request.key))") {
      try await snapshotter.usage(request.key)
    }
    return .with {
      $0.size = usage.bytes
      $0.inodes = Int64(usage.inodes)
    }
  }

  func cleanup(request: Containerd_Services_Snapshots_V1_CleanupRequest, context: ServerContext) async throws
    -> Google_Protobuf_Empty
  {
    try await answering(context, "Cleanup") { try await snapshotter.cleanUp() }
    return .init()
  }

  /// Names come from outside and may be long.
  private static func short(_ name: String) -> String { String(name.prefix(200)) }

  /// Runs a call, cancels it when its client goes away (gRPC leaves a handler's task alone), and maps what it throws.
  private func answering<Answer: Sendable>(
    _ context: ServerContext, _ name: String, _ body: @escaping @Sendable () async throws -> Answer
  ) async throws -> Answer {
    do {
      return try await withThrowingTaskGroup(of: Answer?.self) { group in
        group.addTask { try await calls.run(name, body) }
        group.addTask {
          try await context.cancellation.cancelled
          return nil
        }
        defer { group.cancelAll() }
        while let answer = try await group.next() {
          if let answer { return answer }
          group.cancelAll()
        }
        throw CancellationError()
      }
    } catch { throw RPCError(ofSnapshot: error) }
  }
}

extension SnapshotMount {
  fileprivate var message: Containerd_Types_Mount {
    .with {
      $0.type = type
      $0.source = source
      $0.options = options
    }
  }
}

extension SnapshotInfo {
  fileprivate var message: Containerd_Services_Snapshots_V1_Info {
    .with {
      $0.name = name
      $0.parent = parent
      $0.kind =
        switch kind {
        case .view: .view
        case .active: .active
        case .committed: .committed
        }
      $0.createdAt = created.message
      $0.updatedAt = updated.message
      $0.labels = labels
    }
  }
}

extension Moment {
  fileprivate var message: Google_Protobuf_Timestamp {
    .with {
      $0.seconds = nanoseconds / 1_000_000_000
      $0.nanos = Int32(nanoseconds % 1_000_000_000)
    }
  }
}
