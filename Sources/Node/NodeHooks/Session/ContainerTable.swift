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
    /// Whether it was made with what was decided; not so if it was made while nobody was connected.
    var isAdjusted: Bool
    var generation: Int
  }

  private let records = Mutex<[String: Record]>([:])
  /// More than a machine can run: what a runtime tells has an end.
  private static let most = 100_000

  var count: Int { records.withLock { $0.count } }
  /// Containers that were made without what policies or annotations want of them.
  var unadjusted: Int { records.withLock { $0.values.count { !$0.isAdjusted } } }

  /// - Parameter id: of the container; an empty one is not kept.
  func set(_ record: Record, for id: String) {
    records.withLock { records in
      guard !id.isEmpty, records.count < Self.most || records[id] != nil else { return }
      records[id] = record
    }
  }

  func remove(_ id: String) { _ = records.withLock { $0.removeValue(forKey: id) } }

  /// Forgets those that are not among `ids`.
  func keep(_ ids: Set<String>) { records.withLock { records in records = records.filter { ids.contains($0.key) } } }

  func record(_ id: String) -> Record? { records.withLock { $0[id] } }

  /// Containers whose decision is of an earlier generation.
  func ids(before generation: Int) -> [String] {
    records.withLock { records in records.filter { $0.value.generation < generation }.map(\.key) }
  }

  func all() -> [(id: String, record: Record)] { records.withLock { records in records.map { ($0.key, $0.value) } } }
}

extension ContainerTable.Record {
  static func request(_ pod: NRIPodSandbox, _ container: NRIContainer) -> [UInt8] {
    let request = NRICreateContainerRequest.with {
      $0.pod = .with {
        $0.id = pod.id
        $0.name = pod.name
        $0.uid = pod.uid
        $0.namespace = pod.namespace
        $0.labels = pod.labels
        $0.annotations = pod.annotations
      }
      $0.container = .with {
        $0.id = container.id
        $0.name = container.name
        // Volumes alone: which devices are below them may matter later.
        $0.mounts = container.mounts.filter { VolumeDevices.volume(of: $0.source) != nil }
        $0.linux.resources.memory = container.linux.resources.memory
        $0.linux.resources.cpu = container.linux.resources.cpu
        $0.linux.resources.pids = container.linux.resources.pids
        $0.linux.oomScoreAdj = container.linux.oomScoreAdj
      }
    }
    return (try? request.serializedBytes()) ?? []
  }

  var parsed: NRICreateContainerRequest? { try? NRICreateContainerRequest(serializedBytes: request) }
}
