import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import LinuxSystem
import Locking
import TestSupport
import Testing
import VolumePools

/// Volumes that move between nodes with their own pools, over TLS, by objects of one API server.
@Suite struct VolumeMoveTests {
  /// A claim that is bound on node a, with some data in its volume, and what its volume is called.
  private func volumeOnA(_ client: KubernetesClient, _ a: StorageNode, block: Bool = true) async throws -> String {
    var claim = StorageNode.claim("data", class: "waits", node: "a")
    if block { claim.spec["volumeMode"] = "Block" }
    try await client.create(claim, as: .persistentVolumeClaims)
    let name = try #require(try await StorageNode.bound("data", client).spec["volumeName"].string)
    if block { try write([UInt8](repeating: 7, count: 1 << 20), at: 5 << 20, a, name) }
    return name
  }

  private func write(_ bytes: [UInt8], at offset: Int64, _ node: StorageNode, _ volume: String) throws {
    try OpenFile(node.image(volume), .readWrite).write(bytes, at: offset)
  }

  @discardableResult private func move(
    _ volume: String, to node: String, _ client: KubernetesClient, name: String = "m"
  )
    async throws -> KubernetesObject
  {
    var move = KubernetesObject(.volumeMoves, name: name)
    move.spec = ["volumeName": .string(volume), "targetNode": .string(node)]
    return try await client.create(move, as: .volumeMoves)
  }

  private func phase(_ phase: VolumeMove.Phase, _ client: KubernetesClient, name: String = "m") async throws
    -> KubernetesObject
  {
    try await eventually("the move is \(phase.rawValue)") {
      try await client.get(.volumeMoves, name: name).status["phase"].string == phase.rawValue
    }
    return try await client.get(.volumeMoves, name: name)
  }

  private func node(of volume: String, _ client: KubernetesClient) async throws -> String? {
    try await client.get(.persistentVolumes, name: volume).volumeNode(by: "topology.local.nagaya.dev/node")
  }

  @Test func `a volume moves with its bytes, and can be used, grown and deleted where it is then`() async throws {
    try await StorageNode.with(["a", "b", "c"]) { client, nodes in
      try await nodes[0].during { (a: FilePool) in
        try await nodes[1].during { (b: FilePool) in
          let volume = try await volumeOnA(client, nodes[0])
          let before = try Data(contentsOf: URL(fileURLWithPath: nodes[0].image(volume)), options: .alwaysMapped)
          let wanted = before.hashValue
          try await move(volume, to: "b", client)
          let done = try await phase(.succeeded, client)
          #expect(nodes[0].volumes.isEmpty)
          #expect(nodes[1].volumes == [volume])
          #expect(
            try Data(contentsOf: URL(fileURLWithPath: nodes[1].image(volume)), options: .alwaysMapped).hashValue
              == wanted)
          #expect(done.status["checksum"].string?.count == 64)
          let object = try await client.get(.persistentVolumes, name: volume)
          #expect(object.volumeNode(by: "topology.local.nagaya.dev/node") == "b")
          #expect(object.labels["topology.local.nagaya.dev/node"] == "b")
          #expect(object.annotations["storage.nagaya.dev/move"] == nil)
          #expect(await a.volume(volume) == nil)
          _ = try await b.attach(volume)
          try await b.detach(volume)
          // It is b's now, in every way.
          try await client.patch(
            .persistentVolumeClaims, namespace: "default", name: "data",
            ["spec": ["resources": ["requests": ["storage": "1Gi"]]]])
          try await eventually("it grows on b") { await b.volume(volume)?.bytes == 1 << 30 }
          // And back again, by another move.
          try await move(volume, to: "a", client, name: "back")
          _ = try await phase(.succeeded, client, name: "back")
          #expect(nodes[0].volumes == [volume])
          try await client.delete(.volumeMoves, name: "back")
          try await client.delete(.volumeMoves, name: "m")
          try await client.delete(.persistentVolumeClaims, namespace: "default", name: "data")
          try await eventually("nothing is left") {
            let left = try await client.list(.volumeMoves).items.count
            return nodes[0].volumes.isEmpty && nodes[1].volumes.isEmpty && left == 0
          }
        }
      }
    }
  }

  @Test func `while it is in use its pods end, and nobody begins to use it before it has moved`() async throws {
    try await StorageNode.with(["a", "b"]) { client, nodes in
      try await nodes[0].during { (a: FilePool) in
        try await nodes[1].during {
          let volume = try await volumeOnA(client, nodes[0])
          var pod = KubernetesObject(.pods, namespace: "default", name: "user")
          pod.spec = [
            "containers": [["name": "main", "image": "x"]], "nodeName": "a",
            "volumes": [["name": "data", "persistentVolumeClaim": ["claimName": "data"]]],
          ]
          // Nothing would start this one again.
          try await client.create(pod, as: .pods)
          // As a raw volume in use: bound to a place that containers see.
          let device = try await a.attach(volume)
          let place = "\(nodes[0].directory)/published"
          try OpenFile(place, .createIfMissing).sync()
          try Mounts.bind(device, at: place)
          try await move(volume, to: "b", client)
          try await eventually("it says what it waits for") {
            try await client.get(.volumeMoves, name: "m").status["message"].string?.contains("default/user") == true
          }
          #expect(try await client.get(.pods, namespace: "default", name: "user").isBeingDeleted == false)
          #expect(
            try await client.get(.persistentVolumes, name: volume).annotations["storage.nagaya.dev/moving-to"] == "b")
          // Its last words, while the rest was copied.
          do {
            let open = try OpenFile(device, .readWrite)
            try open.write([UInt8](repeating: 9, count: 4096), at: 100 << 20)
            try open.sync()
          }
          try await client.delete(.pods, namespace: "default", name: "user")
          try Mounts.unmount(place)
          try await a.detach(volume)
          _ = try await phase(.succeeded, client)
          let copy = try OpenFile(nodes[1].image(volume), .read)
          #expect(try copy.read(limit: 4096, at: 100 << 20) == [UInt8](repeating: 9, count: 4096))
          #expect(try copy.read(limit: 1 << 20, at: 5 << 20) == [UInt8](repeating: 7, count: 1 << 20))
        }
      }
    }
  }

  @Test func `pods that something starts again are ended by the move`() async throws {
    try await StorageNode.with(["a", "b"]) { client, nodes in
      try await nodes[0].during {
        try await nodes[1].during {
          let volume = try await volumeOnA(client, nodes[0])
          var pod = KubernetesObject(.pods, namespace: "default", name: "replica")
          pod.metadata["ownerReferences"] = [
            ["apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "u", "controller": true]
          ]
          pod.spec = [
            "containers": [["name": "main", "image": "x"]],
            "volumes": [["name": "data", "persistentVolumeClaim": ["claimName": "data"]]],
          ]
          try await client.create(pod, as: .pods)
          try await move(volume, to: "b", client)
          _ = try await phase(.succeeded, client)
          #expect(try await client.getIfPresent(.pods, namespace: "default", name: "replica") == nil)
          #expect(try await node(of: volume, client) == "b")
        }
      }
    }
  }

  @Test func `a move that is deleted is taken back, and the volume stays where it is`() async throws {
    try await StorageNode.with(["a", "b"]) { client, nodes in
      try await nodes[0].during { (a: FilePool) in
        try await nodes[1].during {
          let volume = try await volumeOnA(client, nodes[0])
          let device = try await a.attach(volume)
          let place = "\(nodes[0].directory)/published"
          try OpenFile(place, .createIfMissing).sync()
          try Mounts.bind(device, at: place)
          try await move(volume, to: "b", client)
          _ = try await phase(.switching, client)
          #expect(nodes[1].volumes == [volume])
          try await client.delete(.volumeMoves, name: "m")
          try await eventually("it is gone, and all is as it was") {
            let moves = try await client.list(.volumeMoves).items
            return moves.isEmpty && nodes[1].volumes.isEmpty
          }
          let object = try await client.get(.persistentVolumes, name: volume)
          #expect(object.annotations["storage.nagaya.dev/moving-to"] == nil)
          #expect(object.annotations["storage.nagaya.dev/move"] == nil)
          #expect(try await node(of: volume, client) == "a")
          try Mounts.unmount(place)
          try await a.detach(volume)
          _ = try await a.attach(volume)
          try await a.detach(volume)
        }
      }
    }
  }

  @Test func `what cannot be is refused with words, and leaves nothing`() async throws {
    try await StorageNode.with(["a", "b"]) { client, all in
      var small = all[1]
      small.limit = 64 << 20
      let nodes = [all[0], small]
      try await nodes[0].during {
        try await nodes[1].during {
          let volume = try await volumeOnA(client, nodes[0])
          for (name, wanted, target, words) in [
            ("none", "pvc-none", "b", "does not exist"), ("here", volume, "a", "is on node a"),
            ("nowhere", volume, "z", "node z does not exist"), ("full", volume, "b", "bytes available"),
          ] {
            try await move(wanted, to: target, client, name: name)
            let failed = try await phase(.failed, client, name: name)
            #expect(failed.status["message"].string?.contains(words) == true, "\(failed.status)")
          }
          try await client.patch(
            .persistentVolumeClaims, namespace: "default", name: "data",
            ["metadata": ["annotations": ["storage.nagaya.dev/moves": "never"]]])
          try await eventually("the owner's word is known") {
            let name = "never\(UInt32.random(in: 0..<1000))"
            try await move(volume, to: "b", client, name: name)
            return try await phase(.failed, client, name: name).status["message"].string?.contains("ask its owner")
              == true
          }
          let object = try await client.get(.persistentVolumes, name: volume)
          #expect(object.annotations["storage.nagaya.dev/move"] == nil)
          #expect(nodes[1].volumes.isEmpty)
          // Where a volume lies cannot be written by hand.
          await #expect(throws: APIStatus.self) {
            var changed = object
            changed.spec["nodeAffinity"]["required"]["nodeSelectorTerms"] = [
              ["matchExpressions": [["key": "topology.local.nagaya.dev/node", "operator": "In", "values": ["b"]]]]
            ]
            try await client.update(changed, as: .persistentVolumes)
          }
        }
      }
    }
  }

  @Test func `either node may go and come back in the middle`() async throws {
    try await StorageNode.with(["a", "b"]) { client, nodes in
      let volume: String = try await withResult { found in
        try await nodes[0].during { found(try await volumeOnA(client, nodes[0])) }
      }
      // The target alone makes no room: it does not know who will come.
      try await move(volume, to: "b", client)
      _ = try await phase(.preparing, client)
      try await nodes[0].during {
        try await eventually("the source says who it is") {
          try await client.get(.volumeMoves, name: "m").status["source"]["fingerprint"].string != nil
        }
      }
      try await nodes[1].during { _ = try await phase(.copying, client) }
      #expect(nodes[1].volumes == [volume])
      // Both have new keys and ports now.
      try await nodes[1].during {
        // Cut off where it happens to be.
        try await nodes[0].during {
          try await eventually("it goes on") {
            try await client.get(.volumeMoves, name: "m").status["phase"] != "Copying"
          }
        }
      }
      try await nodes[0].during {
        try await nodes[1].during { _ = try await phase(.succeeded, client) }
      }
      #expect(nodes[0].volumes.isEmpty)
      #expect(nodes[1].volumes == [volume])
      let copy = try OpenFile(nodes[1].image(volume), .read)
      #expect(try copy.read(limit: 1 << 20, at: 5 << 20) == [UInt8](repeating: 7, count: 1 << 20))
    }
  }

  @Test func `a claim that is deleted in the middle takes both copies with it`() async throws {
    try await StorageNode.with(["a", "b"]) { client, nodes in
      try await nodes[0].during {
        let volume = try await volumeOnA(client, nodes[0])
        try await move(volume, to: "b", client)
        try await nodes[1].during { _ = try await phase(.copying, client) }
        try await client.delete(.persistentVolumeClaims, namespace: "default", name: "data")
        try await nodes[1].during {
          try await eventually("nothing is left anywhere") {
            let left = try await client.list(.persistentVolumes).items.count
            return nodes[0].volumes.isEmpty && nodes[1].volumes.isEmpty && left == 0
          }
        }
      }
    }
  }

  private func withResult<Value: Sendable>(
    _ body: (@escaping @Sendable (Value) -> Void) async throws -> Void
  ) async throws -> Value {
    let found = Found<Value>()
    try await body { found.set($0) }
    return try #require(found.value)
  }
}

private final class Found<Value: Sendable>: Sendable {
  private let kept = Mutex<Value?>(nil)
  func set(_ value: Value) { kept.withLock { $0 = value } }
  var value: Value? { kept.withLock { $0 } }
}
