import KubernetesAPI
import Locking
import NRI
import SwiftProtobuf

/// What is known of the containers of this machine, and what was decided for each.
final class ContainerTable: Sendable {
  /// What hooks need of a container and its pod, in few bytes: thousands of them are kept.
  struct Record: Sendable {
    /// A `CreateContainerRequest` without what no hook asks for.
    var request: [UInt8]
    /// A line for each change.
    var decision: String
    /// What of it can be changed while the container runs.
    var resources: [UInt8]
    /// A line for each limit that holds: those that it was made with, and those that were changed since.
    var limits: String
    /// Whether it was made with what was decided; not so if it was made while nobody was connected.
    var isAdjusted: Bool
    /// Whether it may have volumes, of which something else may be known later.
    var hasVolumes: Bool
    var generation: Int
    /// When limits were changed last while it ran, as a version of the table; 0: they are those that it was made with.
    fileprivate(set) var changed = 0
  }

  fileprivate struct State {
    var records: [String: Record] = [:]
    var version = 0
    /// Texts of records: many containers have the same.
    var texts: Set<String> = []
  }

  private let state = Mutex(State())
  /// Tells versions of this table from those of earlier processes.
  private let epoch = String(UInt64.random(in: 0 ... .max), radix: 36)
  /// More than a machine can run: what a runtime tells has an end.
  private static let most = 100_000

  var count: Int { state.withLock { $0.records.count } }
  /// Containers that were made without what policies or annotations want of them.
  var unadjusted: Int { state.withLock { $0.records.values.count { !$0.isAdjusted } } }

  /// - Parameters:
  ///   - id: of the container; an empty one is not kept.
  ///   - isLive: its limits may be others than those that it was made with.
  func set(_ record: Record, for id: String, isLive: Bool = false) {
    state.withLock { state in
      guard !id.isEmpty, state.records.count < Self.most || state.records[id] != nil else { return }
      var record = record
      record.decision = state.kept(record.decision)
      record.limits = state.kept(record.limits)
      if isLive, state.records[id]?.limits != record.limits {
        state.version += 1
        record.changed = state.version
      }
      state.records[id] = record
    }
  }

  func remove(_ id: String) { _ = state.withLock { $0.records.removeValue(forKey: id) } }

  /// Forgets those that are not among `ids`.
  func keep(_ ids: Set<String>) {
    state.withLock { state in state.records = state.records.filter { ids.contains($0.key) } }
  }

  func record(_ id: String) -> Record? { state.withLock { $0.records[id] } }

  /// Containers whose decision is of an earlier generation.
  func ids(before generation: Int) -> [String] {
    state.withLock { state in state.records.filter { $0.value.generation < generation }.map(\.key) }
  }

  func idsWithVolumes() -> [String] {
    state.withLock { state in state.records.filter(\.value.hasVolumes).map(\.key) }
  }

  func all() -> [(id: String, record: Record)] {
    state.withLock { state in state.records.map { ($0.key, $0.value) } }
  }

  /// Containers whose limits were changed since a version.
  /// - Parameter version: what an earlier call returned; of one that is not this table's, all containers are told.
  func changes(after version: String) -> (version: String, containers: [(id: String, record: Record)]) {
    let parts = version.split(separator: "-")
    let since = parts.count == 2 && parts[0] == epoch ? Int(parts[1]) ?? -1 : -1
    return state.withLock { state in
      let changed = state.version <= since ? [] : state.records.filter { $0.value.changed > since }
      return ("\(epoch)-\(state.version)", changed.map { ($0.key, $0.value) })
    }
  }
}

extension ContainerTable.State {
  /// The same text, once.
  fileprivate mutating func kept(_ text: String) -> String {
    // Short ones need no memory of their own.
    guard text.utf8.count > 15 else { return text }
    if texts.count > 2 * records.count + 64 {
      texts = Set(records.values.flatMap { [$0.decision, $0.limits] })
    }
    return texts.insert(text).memberAfterInsert
  }
}

extension ContainerTable.Record {
  /// - Parameter isWhole: whether hooks beside the standard ones are asked again later, which may read more.
  init(
    _ pod: NRIPodSandbox, _ container: NRIContainer, isWhole: Bool, decision: [String], limits: [String],
    resources: [UInt8],
    isAdjusted: Bool, generation: Int
  ) {
    self.init(
      request: Self.request(pod, container, isWhole), decision: decision.joined(separator: "\n"), resources: resources,
      limits: limits.joined(separator: "\n"), isAdjusted: isAdjusted,
      hasVolumes: VolumeDevices.mayHaveVolumes(container), generation: generation)
  }

  private static func request(_ pod: NRIPodSandbox, _ container: NRIContainer, _ isWhole: Bool) -> [UInt8] {
    let request = NRICreateContainerRequest.with {
      $0.pod = .with {
        if isWhole { $0.id = pod.id }
        $0.name = pod.name
        $0.uid = pod.uid
        $0.namespace = pod.namespace
        $0.labels = pod.labels
        $0.annotations =
          isWhole ? pod.annotations : StandardHooks.annotations(pod.annotations, of: container.name)
      }
      $0.container = .with {
        if isWhole { $0.id = container.id }
        $0.name = container.name
        // Volumes alone: which devices are below them may matter later.
        $0.mounts = container.mounts.compactMap { mount in
          VolumeDevices.Place(mount.source).map { _ in .with { $0.source = mount.source } }
        }
        $0.linux.devices = container.linux.devices.filter { $0.type == "b" }
        $0.linux.resources.memory = container.linux.resources.memory
        $0.linux.resources.cpu = container.linux.resources.cpu
        $0.linux.resources.pids = container.linux.resources.pids
        $0.linux.oomScoreAdj = container.linux.oomScoreAdj
      }
    }
    return (try? request.serializedBytes()) ?? []
  }

  var parsed: NRICreateContainerRequest? { try? NRICreateContainerRequest(serializedBytes: request) }

  var limitLines: [String] { limits.split(separator: "\n").map(String.init) }
}
