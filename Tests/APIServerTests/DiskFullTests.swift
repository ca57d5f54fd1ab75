import APIServer
import Foundation
import JSONDocument
import KubernetesAPI
import KubernetesClient
import ObjectStore
import Testing

/// A small real file system, mounted for one test.
struct SmallDisk: Sendable {
  enum Kind: String, Sendable, CaseIterable {
    case tmpfs, ext4, xfs
  }

  /// Where it is mounted.
  let path: String

  static func with(_ kind: Kind, _ body: (SmallDisk) async throws -> Void) async throws {
    let directory = "/tmp/nagaya-disk-\(UUID().uuidString)"
    let disk = SmallDisk(path: "\(directory)/disk")
    try FileManager.default.createDirectory(atPath: disk.path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let image = "\(directory)/image"
    switch kind {
    case .tmpfs: try await run("mount -t tmpfs -o size=12m small '\(disk.path)'")
    case .ext4:
      try await run(
        "truncate -s 24M '\(image)' && mkfs.ext4 -q -m 0 '\(image)' && mount -o loop '\(image)' '\(disk.path)'")
    case .xfs:
      // The smallest that mkfs.xfs makes.
      try await run("truncate -s 300M '\(image)' && mkfs.xfs -q '\(image)' && mount -o loop '\(image)' '\(disk.path)'")
    }
    do { try await body(disk) } catch {
      try? await run("umount '\(disk.path)'")
      throw error
    }
    try await run("umount '\(disk.path)'")
  }

  struct Failure: Error {
    let line: String
    let result: Command.Result
  }

  private static func run(_ line: String) async throws {
    let result = try await Command.run("bash", ["-c", "export PATH=$PATH:/usr/sbin:/sbin; \(line)"])
    guard result.status == 0 else { throw Failure(line: line, result: result) }
  }

  /// Takes every block that is left.
  func fill() async throws {
    try await Self.run("cat /dev/zero > '\(path)/filler'; cat /dev/zero >> '\(path)/filler'; sync -f '\(path)'; true")
  }

  func makeRoom() throws { try FileManager.default.removeItem(atPath: "\(path)/filler") }
}

@Suite(.serialized) struct DiskFullTests {
  @Test(.timeLimit(.minutes(15)), arguments: SmallDisk.Kind.allCases)
  func writesAreRefusedUntilThereIsSpaceAgainAndNothingElseHappens(kind: SmallDisk.Kind) async throws {
    try await SmallDisk.with(kind) { disk in
      let path = "\(disk.path)/objects.sqlite"
      let store = try SQLiteObjectStore(path: path)
      let stored = try await Self.check(
        disk, store, try await APIServer(store: store, registry: .standard, logger: quiet))
      try store.close()
      // What was acknowledged is on the disk, and only that.
      let again = try SQLiteObjectStore(path: path)
      let page = try await again.read(resource: nil, after: nil, limit: 100_000, at: nil)
      #expect(page.objects.contains { $0.key.name == "after" })
      #expect(Set(page.objects.map(\.key.name)) == stored)
      try again.close()
    }
  }

  /// - Returns: the names of all that was acknowledged.
  private static func check(_ disk: SmallDisk, _ store: SQLiteObjectStore, _ server: APIServer) async throws
    -> Set<String>
  {
    let client = server.client()
    try await client.create(KubernetesObject(.namespaces, name: "default"), as: .namespaces)
    let payload = ["k": String(repeating: "v", count: 4000)]
    for index in 0..<20 { try await client.create(configMap("early-\(index)", payload), as: .configMaps) }
    let watch = try await client.watch(.configMaps, from: try await client.list(.configMaps).resourceVersion)
    try await disk.fill()

    // Several write until each of them has been refused; the log has some room of its own.
    var (taken, refusals) = try await withThrowingTaskGroup(of: (taken: [String], refusal: (String, APIStatus)?).self) {
      group in
      for writer in 0..<8 {
        group.addTask {
          var taken: [String] = []
          for index in 0..<20_000 {
            let name = "late-\(writer)-\(index)"
            do {
              try await client.create(configMap(name, payload), as: .configMaps)
              taken.append(name)
            } catch let status as APIStatus { return (taken, (name, status)) }
          }
          return (taken, nil)
        }
      }
      var all: (taken: [String], refusals: [(name: String, status: APIStatus)]) = ([], [])
      for try await one in group {
        all.taken += one.taken
        if let refusal = one.refusal { all.refusals.append(refusal) }
      }
      return all
    }
    #expect(refusals.count == 8, "the disk was never full")
    for (_, status) in refusals {
      #expect(status.code == 507)
      #expect(status.reason == .insufficientStorage)
      #expect(status.message.contains(disk.path) && status.message.contains("Free space"), "\(status.message)")
    }
    // A refused commit may leave room behind that a smaller one finds: what is taken counts, all else is refused alike.
    for index in 0..<50 {
      do {
        try await client.create(configMap("last-\(index)", payload), as: .configMaps)
        taken.append("last-\(index)")
      } catch let status as APIStatus {
        #expect(status.code == 507)
        refusals.append(("last-\(index)", status))
      }
    }
    #expect(refusals.count > 8, "the disk was full for a moment only")
    var early = try await client.get(.configMaps, namespace: "default", name: "early-0")
    early["data"]["k"] = .string(String(repeating: "w", count: 40_000))
    let changed = early
    #expect(await refusal { try await client.update(changed, as: .configMaps) }?.code == 507)
    // Maintenance of a full disk may fail; it breaks nothing.
    try? await store.maintain()

    // Nothing half-written; reads and new watches go on.
    let expected = Set((0..<20).map { "early-\($0)" } + taken)
    let list = try await client.list(.configMaps)
    #expect(Set(list.items.map(\.name)) == expected)
    #expect(try await client.get(.configMaps, namespace: "default", name: "early-0")["data"]["k"].string?.first == "v")
    for (name, _) in refusals {
      #expect(try await client.getIfPresent(.configMaps, namespace: "default", name: name) == nil)
    }
    let stored = try await store.read(resource: nil, after: nil, limit: 100_000, at: nil)
    #expect(Set(stored.objects.map(\.key.name)) == expected.union(["default"]))
    let newWatch = try await client.watch(.configMaps, from: list.resourceVersion)

    // With space again, the same server takes writes again; both watches tell of them.
    try disk.makeRoom()
    try await client.create(configMap("after", payload), as: .configMaps)
    try await client.update(changed, as: .configMaps)
    var seen: [String] = []
    for try await event in watch {
      guard case .added(let object) = event else { continue }
      seen.append(object.name)
      if object.name == "after" { break }
    }
    #expect(Set(seen) == Set(taken + ["after"]) && seen.count == taken.count + 1)
    for try await event in newWatch {
      guard case .added(let object) = event else { continue }
      #expect(object.name == "after")
      break
    }
    return expected.union(["default", "after"])
  }
}
