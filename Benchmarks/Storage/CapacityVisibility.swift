import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient

/// How long after a volume was made the scheduler sees that its room is gone.
struct CapacityVisibility {
  let configuration: String
  var volumes = 10

  func measure() async throws -> [Figure] {
    let cluster = try StorageCluster(
      "bench-capacity", backend: .file, nodes: ["a"], configuration: configuration)
    do {
      try await cluster.up()
      let seconds = try await measure(cluster)
      try await cluster.stop()
      await cluster.destroy()
      print(
        "from Bound to the capacity that says so: p50 \(Figure.rounded(seconds.percentile(0.5))) s, worst \(Figure.rounded(seconds.max() ?? .nan)) s"
      )
      return [Figure(name: "capacity.visible", value: seconds.max() ?? .nan, unit: "s", digits: 3)]
    } catch {
      print(cluster.lastWords)
      await cluster.destroy()
      throw error
    }
  }

  private func measure(_ cluster: StorageCluster) async throws -> [Double] {
    let client = cluster.client
    func capacity() async throws -> Int64? {
      try await client.list(.csiStorageCapacities).items
        .first { $0["storageClassName"].string == StorageCluster.storageClass }
        .flatMap { $0["capacity"].string }.flatMap(Quantity.init)?.value
    }
    try await within("there is a capacity", seconds: 60) { try await capacity() != nil }
    var seconds: [Double] = []
    for volume in 0..<volumes {
      guard let before = try await capacity() else { throw Problem("the capacity is gone") }
      let size: Int64 = 64 << 20
      var claim = KubernetesObject(.persistentVolumeClaims, namespace: "default", name: "v\(volume)")
      claim.annotations = ["volume.kubernetes.io/selected-node": "a"]
      claim.spec = [
        "storageClassName": .string(StorageCluster.storageClass), "accessModes": ["ReadWriteOnce"],
        "volumeMode": "Block", "resources": ["requests": ["storage": .string("\(size)")]],
      ]
      try await client.create(claim, as: .persistentVolumeClaims)
      try await within("v\(volume) is bound", seconds: 60) {
        try await client.get(.persistentVolumeClaims, namespace: "default", name: "v\(volume)").status["phase"]
          == "Bound"
      }
      let bound = ContinuousClock.now
      try await within("its room is gone", seconds: 60) { (try await capacity() ?? before) <= before - size }
      seconds.append((ContinuousClock.now - bound).seconds)
    }
    return seconds
  }
}
