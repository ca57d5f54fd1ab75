import Foundation
import JSONDocument
import Placement
import PlacementSimulator

/// Nodes and their pools from `kubectl get volumepools -o json`.
enum PoolsFile {
  /// One pool a node; where a node has several, the largest counts.
  static func cluster(_ path: String) throws -> SimulatedCluster {
    let remedy = "make it with: kubectl get volumepools -o json > pools.json"
    let document: JSONValue
    do {
      document = try JSONValue(
        parsing: Data(contentsOf: URL(fileURLWithPath: path)), limits: JSONLimits(bytes: 64 << 20))
    } catch let error as JSONError {
      throw CommandFailure("\(path): \(error)", remedy: remedy)
    } catch {
      throw CommandFailure("cannot read \(path): \(error.localizedDescription)", remedy: remedy)
    }
    var sizes: [String: Int64] = [:]
    for (index, item) in document["items"].elements.enumerated() {
      guard let node = item["spec"]["nodeName"].string, let bytes = item["status"]["capacityBytes"].int, bytes > 0
      else {
        throw CommandFailure(
          "\(path), items[\(index)]: a pool without spec.nodeName or status.capacityBytes", remedy: remedy)
      }
      sizes[node] = max(sizes[node] ?? 0, Int64(bytes))
    }
    guard !sizes.isEmpty else { throw CommandFailure("\(path) has no pools", remedy: remedy) }
    return SimulatedCluster(
      nodes: sizes.sorted { $0.key < $1.key }.map {
        NodeDescription(name: $0.key, pools: [PoolDescription(capacityBytes: $0.value)])
      })
  }
}
