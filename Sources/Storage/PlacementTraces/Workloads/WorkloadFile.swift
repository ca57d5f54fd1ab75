import JSONDocument
import KubernetesAPI
import Placement
import PlacementSimulator

/// A cluster and what is asked of it, described in YAML or JSON; see `docs/placement.md` and `nagaya simulate --help`.
public struct WorkloadFile: Sendable, Hashable {
  /// Words above the results; the file's name where it gives none.
  public var title: String
  public var cluster: SimulatedCluster
  public var workload: WorkloadDescription
  /// The offered load as a share of the cluster, where the file gives one instead of a rate.
  public var load: Double?

  static let limit = 4 << 20

  /// - Throws: `TraceError` that names the place in the document.
  public init(path: String) throws(TraceError) {
    let bytes = try FileBytes.all(of: path, limit: Self.limit)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw TraceError(.invalidField(reason: "it is no text (UTF-8)"), file: path)
    }
    try self.init(text, file: path)
  }

  init(_ text: String, file: String) throws(TraceError) {
    let documents: [JSONValue]
    do {
      documents = try YAML.parseAll(text, limits: JSONLimits(bytes: Self.limit))
    } catch {
      throw TraceError(.invalidField(reason: error.description), file: file)
    }
    guard documents.count == 1, let document = documents.first, case .object = document else {
      throw TraceError(.invalidField(reason: "it must be one document with nodes, sizes and lifetimes"), file: file)
    }
    var reader = WorkloadReader(file: file)
    self = try reader.read(document)
  }

  init(title: String, cluster: SimulatedCluster, workload: WorkloadDescription, load: Double?) {
    self.title = title
    self.cluster = cluster
    self.workload = workload
    self.load = load
  }
}
