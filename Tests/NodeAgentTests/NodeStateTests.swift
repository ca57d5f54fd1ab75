import Foundation
import JSONDocument
import KubernetesAPI
import LinuxSystem
import TestSupport
import Testing

@testable import NodeAgent

#if canImport(Glibc)
  import Glibc
#endif

@Suite(.serialized) struct NodeStateTests {
  private static let plenty = NodePressure.Reading(
    availableMemoryBytes: 4 << 30, availableDiskBytes: 50 << 30, diskBytes: 100 << 30, freeInodes: 900, inodes: 1000)

  @Test func pressureBeginsBelowItsThresholdAndEndsWellAboveIt() {
    var reading = Self.plenty
    #expect(NodePressure().following(reading) == NodePressure())
    reading.availableDiskBytes = 9 << 30
    let full = NodePressure().following(reading)
    #expect(full.disk == "less than 10 % of the node's disk are free")
    #expect(full.memory == nil)
    reading.availableDiskBytes = 11 << 30
    #expect(full.following(reading).disk != nil, "11 % are not enough to end it")
    #expect(NodePressure().following(reading).disk == nil, "nor too few to begin it")
    reading.availableDiskBytes = 13 << 30
    #expect(full.following(reading).disk == nil)
    reading.freeInodes = 40
    #expect(NodePressure().following(reading).disk == "less than 5 % of the disk's inodes are free")
    (reading.freeInodes, reading.inodes) = (0, 0)
    #expect(NodePressure().following(reading).disk == nil, "a file system without a count of inodes")
    reading.availableMemoryBytes = 99 << 20
    #expect(NodePressure().following(reading).memory == "less than 100 MiB of memory are available")
  }

  @Test func thisMachineCanBeRead() throws {
    let reading = try #require(NodePressure.read(directory: "/tmp"))
    #expect(reading.availableMemoryBytes > 0 && reading.diskBytes >= reading.availableDiskBytes)
  }

  @Test func secretFilesAreInMemoryAndChangesOfTheirModeCount() async throws {
    try await TestNode.with { node in
      var secret = KubernetesObject(.secrets, namespace: "default", name: "keys")
      secret["data"] = ["token": "czNjcjN0"]
      try await node.client.create(secret, as: .secrets)
      var map = KubernetesObject(.configMaps, namespace: "default", name: "open")
      map["data"] = ["a": "1"]
      try await node.client.create(map, as: .configMaps)
      try await node.create(
        "secretive", ["args": ["serve"], "volumeMounts": [["name": "keys", "mountPath": "/keys"]]],
        spec: [
          "volumes": [
            ["name": "keys", "secret": ["secretName": "keys"]],
            ["name": "all", "projected": ["sources": [["secret": ["name": "keys"]]]]],
            ["name": "open", "configMap": ["name": "open"]],
          ]
        ])
      let pod = try await node.wait("secretive", until: "ready") { $0.isReady }
      try await eventually("it serves") { await node.get(pod, "/") == "hello" }
      #expect(await node.get(pod, "/file/keys/token") == "s3cr3t")
      let files = "\(node.directory)/pods/\(pod.uid)/volumes/files"
      let mounted = TestEngine.mounts().filter { $0.hasPrefix(files) }
      #expect(Set(mounted) == ["\(files)/keys", "\(files)/all"])
      try await node.delete("secretive")
      #expect(!TestEngine.mounts().contains { $0.hasPrefix(files) })
    }
  }

  @Test func aFileWhoseModeChangesIsPublishedAnew() throws {
    let directory = "/tmp/nagaya-published-\(ProcessInfo.processInfo.processIdentifier)"
    defer { try? Directory.removeTree(directory) }
    for mode: UInt32 in [0o644, 0o400] {
      try PublishedFiles.publish(["a": .init(bytes: [1], mode: mode)], in: directory)
      var status = stat()
      #expect(stat("\(directory)/a", &status) == 0)
      #expect(UInt32(status.st_mode) & 0o7777 == mode)
    }
  }

  @Test func aRotationThatWasCutOffIsFinished() async throws {
    try await TestNode.with { node in
      try await node.create("ticking", ["args": ["tick"]])
      let pod = try await node.wait("ticking", until: "ready") { $0.isReady }
      let place = "\(PodConfigurations.logDirectory(pod, below: node.directory))/main"
      try await eventually("it logs") { SmallFile.text("\(place)/0.log")?.contains("tick 3") == true }
      #expect(rename("\(place)/0.log", "\(place)/0.log.1") == 0)
      let client = try RuntimeClient(socket: node.engine.layout.socket)
      let id = String((pod.containerStatus["containerID"].string ?? "").dropFirst("containerd://".count))
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try? await client.run() }
        try await LogRotation.rotate(place: place, attempt: 0, containerID: id, runtime: client)
        group.cancelAll()
      }
      try await eventually("it logs to a new file") { SmallFile.text("\(place)/0.log")?.contains("tick") == true }
      try await node.delete("ticking")
    }
  }

  @Test func containerdsLogIsRotatedWhileItRuns() async throws {
    try await TestEngine.with { test in
      let supervision = Task { try await test.engine.run() }
      let (path, old) = (test.layout.logFile, test.layout.logFile + ".1")
      let handle = try #require(FileHandle(forWritingAtPath: path))
      try handle.seekToEnd()
      try handle.write(contentsOf: Data(repeating: 0x2E, count: 11 << 20))
      try handle.close()
      try await eventually("there is an old log") { (try? FileStatus(of: old))??.size ?? 0 > 10 << 20 }
      try await eventually("the log is short") { (try? FileStatus(of: path))??.size ?? .max < 1 << 20 }
      supervision.cancel()
      _ = await supervision.result
    }
  }
}
