import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import LinuxSystem
import Locking

/// What the workers of a crash test have done and found, together.
final class CrashFindings: Sendable {
  private struct State {
    var done: [String: Int] = [:]
    var lost: [String] = []
    var wrong: [String] = []
    var isEnding = false
  }
  private let state = Mutex(State())

  func did(_ what: String) { state.withLock { $0.done[what, default: 0] += 1 } }

  /// A volume, or a change of one, that never came to an end.
  func lost(_ what: String) {
    report("LOST: \(what)")
    state.withLock { $0.lost.append(what) }
  }

  /// Bytes that are others than were written.
  func wrong(_ what: String) {
    report("WRONG BYTES: \(what)")
    state.withLock { $0.wrong.append(what) }
  }

  func end() { state.withLock { $0.isEnding = true } }
  var isEnding: Bool { state.withLock { $0.isEnding } }
  var lostCount: Int { state.withLock { $0.lost.count } }
  var wrongCount: Int { state.withLock { $0.wrong.count } }
  var done: [String: Int] { state.withLock { $0.done } }
}

/// Makes a raw volume, writes, grows, keeps, copies and moves it in random order, knows at each moment every byte that it has to hold, and
/// takes it away; again and again, while somebody kills who serves it.
struct VolumeWorker {
  let name: String
  let cluster: StorageCluster
  /// By node.
  let drivers: [String: BenchedDriver]
  let findings: CrashFindings

  private static let namespace = "default"
  private static let firstBytes = 16 << 20
  private static let growth = 8 << 20
  /// How long something may take while servers are killed and come back.
  private static let patience = 300

  /// A volume, and what it has to hold.
  private struct Model {
    let claim: String
    var volume: String
    var node: String
    var contents: [UInt8]
    var isPublished = false
  }

  /// Files on a file system without reflinks are not copied while a raw volume is in use.
  private var mustRest: Bool { cluster.backend == .file }

  private var client: KubernetesClient { cluster.client }

  func run() async {
    var sequence = 0
    while !findings.isEnding {
      sequence += 1
      let claim = "\(name)-\(sequence)"
      do {
        try await run(sequence: claim)
        findings.did("sequences")
      } catch is CancellationError { return } catch { findings.lost("\(claim): \(error)") }
    }
  }

  private func run(sequence claim: String) async throws {
    var model = try await make(claim, on: cluster.nodes.randomElement() ?? "", bytes: Self.firstBytes)
    try await write(&model)
    for step in 0..<Int.random(in: 3...6) where !findings.isEnding {
      switch Int.random(in: 0..<10) {
      case 0, 1: try await write(&model)
      case 2: try await grow(&model)
      case 3, 4: try await keep(&model, "\(claim)-s\(step)")
      case 5: try await clone(&model, "\(claim)-c\(step)")
      case 6, 7, 8: try await move(&model, "\(claim)-m\(step)", takingBack: false)
      default: try await move(&model, "\(claim)-m\(step)", takingBack: true)
      }
      try await check(&model, "after step \(step)")
    }
    try await remove(model)
  }

  // MARK: Steps

  private func make(_ name: String, on node: String, bytes: Int, from source: JSONValue? = nil) async throws -> Model {
    var claim = KubernetesObject(.persistentVolumeClaims, namespace: Self.namespace, name: name)
    claim.annotations = ["volume.kubernetes.io/selected-node": node]
    claim.spec = [
      "storageClassName": .string(StorageCluster.storageClass), "accessModes": ["ReadWriteOnce"],
      "volumeMode": "Block", "resources": ["requests": ["storage": .string("\(bytes)")]],
    ]
    if let source { claim.spec["dataSource"] = source }
    try await create(claim, .persistentVolumeClaims)
    let volume = try await persist("\(name) is bound") {
      let claim = try await client.get(.persistentVolumeClaims, namespace: Self.namespace, name: name)
      return claim.status["phase"] == "Bound" ? claim.spec["volumeName"].string : nil
    }
    findings.did("volumes")
    return Model(claim: name, volume: volume, node: node, contents: [UInt8](repeating: 0, count: bytes))
  }

  private func write(_ model: inout Model) async throws {
    try await publish(&model)
    var bytes = [UInt8](repeating: 0, count: 256 << 10)
    for _ in 0..<Int.random(in: 1...6) {
      for index in bytes.indices where index % 512 == 0 || index % 7 == 0 { bytes[index] = .random(in: 1 ... .max) }
      let offset = Int.random(in: 0..<(model.contents.count - bytes.count) / 4096) * 4096
      let file = try OpenFile(drivers[model.node]?.target(model.volume) ?? "", .readWrite)
      try file.write(bytes, at: Int64(offset))
      try file.sync()
      model.contents.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    }
    findings.did("writes")
  }

  private func grow(_ model: inout Model) async throws {
    let bytes = model.contents.count + Self.growth
    let name = model.claim
    _ = try await persist("\(name) is asked to grow") {
      try await client.patch(
        .persistentVolumeClaims, namespace: Self.namespace, name: name,
        ["spec": ["resources": ["requests": ["storage": .string("\(bytes)")]]]])
    }
    _ = try await persist("\(name) has grown") {
      let claim = try await client.get(.persistentVolumeClaims, namespace: Self.namespace, name: name)
      let has = claim.status["capacity"]["storage"].string.flatMap(Quantity.init)?.value ?? 0
      return has >= Int64(bytes) ? true : nil
    }
    model.contents += [UInt8](repeating: 0, count: Self.growth)
    // A device that was open keeps its size until it is opened anew.
    try await unpublish(&model)
    findings.did("growths")
  }

  /// Takes a snapshot, changes the volume, and makes another one from the snapshot.
  private func keep(_ model: inout Model, _ name: String) async throws {
    if Bool.random() || mustRest { try await unpublish(&model) }
    var snapshot = KubernetesObject(.volumeSnapshots, namespace: Self.namespace, name: name)
    snapshot.spec = ["source": ["persistentVolumeClaimName": .string(model.claim)]]
    try await create(snapshot, .volumeSnapshots)
    _ = try await persist("\(name) is taken") {
      let snapshot = try await client.get(.volumeSnapshots, namespace: Self.namespace, name: name)
      return snapshot.status["readyToUse"] == true ? true : nil
    }
    findings.did("snapshots")
    let kept = model.contents
    try await write(&model)
    var restored = try await make(
      "\(name)-r", on: model.node, bytes: kept.count,
      from: ["apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": .string(name)])
    restored.contents = kept
    try await check(&restored, "restored")
    findings.did("restores")
    if Bool.random() {
      try await delete(.volumeSnapshots, name)
      try await check(&restored, "after its snapshot was deleted")
      try await remove(restored)
    } else {
      try await remove(restored)
      try await delete(.volumeSnapshots, name)
    }
  }

  private func clone(_ model: inout Model, _ name: String) async throws {
    if mustRest { try await unpublish(&model) }
    var copy = try await make(
      name, on: model.node, bytes: model.contents.count,
      from: ["kind": "PersistentVolumeClaim", "name": .string(model.claim)])
    copy.contents = model.contents
    try await check(&copy, "cloned")
    findings.did("clones")
    try await remove(copy)
  }

  /// - Parameter takingBack: somewhere on the way.
  private func move(_ model: inout Model, _ name: String, takingBack: Bool) async throws {
    guard let target = cluster.nodes.first(where: { [node = model.node] in $0 != node }) else { return }
    let isUsed = Bool.random()
    if isUsed { try await write(&model) } else { try await unpublish(&model) }
    var move = KubernetesObject(.volumeMoves, name: name)
    move.spec = ["volumeName": .string(model.volume), "targetNode": .string(target)]
    try await create(move, .volumeMoves)
    if isUsed {
      // Written while it is copied, and in use until then.
      try await write(&model)
      try await Task.sleep(for: .milliseconds(Int.random(in: 0...500)))
      try await unpublish(&model)
    }
    if takingBack {
      try await Task.sleep(for: .milliseconds(Int.random(in: 0...1000)))
      try await delete(.volumeMoves, name)
      findings.did("moves taken back")
    } else {
      let phase = try await persist("\(name) is over") {
        let phase = VolumeMove(try await client.get(.volumeMoves, name: name)).phase
        return phase.isOver ? phase : nil
      }
      if phase == .failed {
        let words = try? await client.get(.volumeMoves, name: name).status["message"].string ?? ""
        report("\(name) failed: \(words ?? "")")
      }
      findings.did(phase == .succeeded ? "moves" : "moves that failed")
      try await delete(.volumeMoves, name)
    }
    let volume = model.volume
    model.node = try await persist("\(volume) lies somewhere") {
      try await client.get(.persistentVolumes, name: volume).volumeNode(by: "topology.local.nagaya.dev/node")
    }
  }

  private func check(_ model: inout Model, _ when: String) async throws {
    try await publish(&model)
    let place = drivers[model.node]?.target(model.volume) ?? ""
    let file = try OpenFile(place, .read)
    let found = try file.read(limit: model.contents.count, at: 0)
    findings.did("checks")
    guard found != model.contents else { return }
    let first = zip(found, model.contents).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? found.count
    findings.wrong("\(model.claim) (\(model.volume) on \(model.node)) \(when): first at byte \(first)")
    model.contents = found
  }

  private func remove(_ model: Model) async throws {
    var model = model
    try await unpublish(&model)
    try await delete(.persistentVolumeClaims, model.claim)
    let volume = model.volume
    _ = try await persist("\(volume) is gone") {
      try await client.getIfPresent(.persistentVolumes, name: volume) == nil ? true : nil
    }
  }

  // MARK: Calls that go on until they have worked

  private func publish(_ model: inout Model) async throws {
    guard !model.isPublished, let driver = drivers[model.node] else { return }
    let volume = model.volume
    _ = try await persist("\(volume) is published on \(model.node)") {
      try await driver.stage(volume, fileSystem: nil)
      try await driver.publish(volume, fileSystem: nil)
      return true
    }
    model.isPublished = true
  }

  private func unpublish(_ model: inout Model) async throws {
    guard model.isPublished, let driver = drivers[model.node] else { return }
    let volume = model.volume
    _ = try await persist("\(volume) is unpublished on \(model.node)") {
      try await driver.unpublish(volume)
      return true
    }
    model.isPublished = false
  }

  private func create(_ object: KubernetesObject, _ resource: Resource) async throws {
    _ = try await persist("\(object.name) is created") {
      do { return try await client.create(object, as: resource) } catch let status as APIStatus
        where status.reason == .alreadyExists
      { return object }
    }
  }

  private func delete(_ resource: Resource, _ name: String) async throws {
    let namespace = resource.isNamespaced ? Self.namespace : ""
    _ = try await persist("\(name) is deleted") {
      do { try await client.delete(resource, namespace: namespace, name: name) } catch let status as APIStatus
        where status.code == 404
      {}
      return true
    }
    _ = try await persist("\(name) is gone") {
      try await client.getIfPresent(resource, namespace: namespace, name: name) == nil ? true : nil
    }
  }

  /// Repeats until there is an answer: servers are killed, and come back.
  private func persist<Result: Sendable>(_ what: String, _ body: () async throws -> Result?) async throws -> Result {
    let deadline = ContinuousClock.now + .seconds(Self.patience)
    var last = ""
    while ContinuousClock.now < deadline {
      do { if let result = try await body() { return result } } catch {
        try Task.checkCancellation()
        last = ": \(error)"
      }
      try await Task.sleep(for: .milliseconds(50))
    }
    throw Problem("not within \(Self.patience) s: \(what)\(last)")
  }
}
