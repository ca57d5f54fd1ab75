import JSONDocument
import KubernetesAPI
import LinuxSystem
import TestSupport
import Testing

@testable import NodeAgent

/// Pods that fill the node's disk: a real file system of its own, small enough to be full at once.
@Suite("Attacks of pods on the node's whole disk", .serialized)
struct FullDiskAttacks {
  struct Way: Sendable, CustomTestStringConvertible {
    let what: String
    let number: Int
    let path: String
    /// Of the node's file system (tmpfs(5)).
    let options: [String]
    /// What the pod is told that the node lacked.
    let resource: String
    var testDescription: String { "\(number) \(what)" }
  }

  static let ways = [
    Way(
      what: "bytes", number: 500, path: "scratch/big", options: ["size=256m", "nr_inodes=200000"],
      resource: "ephemeral-storage"),
    Way(
      what: "inodes", number: 100_000, path: "scratch/many", options: ["size=1g", "nr_inodes=20000"],
      resource: "inodes"),
  ]

  /// Neither pod has a limit, so that only the node's end stops the greedy one.
  @Test("who fills the disk goes, and who keeps to what it asked for stays", arguments: ways)
  func fill(way: Way) async throws {
    try await TestNode.withoutAgent { node in
      try Directory.make(node.directory)
      try Mounts.mount("tmpfs", at: node.directory, type: "tmpfs", options: way.options)
      do { try await Self.fill(way, on: node) } catch {
        try Self.unmount(node.directory)
        throw error
      }
      try Self.unmount(node.directory)
    }
  }

  private static func unmount(_ directory: String) throws {
    // What pods left mounted goes first: the test has said by now whether that is right.
    for place in TestEngine.mounts().filter({ $0.hasPrefix("\(directory)/") }).reversed() {
      try? Mounts.unmountAll(place)
    }
    try Mounts.unmountAll(directory)
  }

  private static func fill(_ way: Way, on node: TestNode) async throws {
    try await node.withAgent { _ in
      func serving(_ name: String, requested: String) async throws -> KubernetesObject {
        try await node.create(
          name,
          [
            "args": ["serve"], "volumeMounts": [["name": "scratch", "mountPath": "/scratch"]],
            "resources": ["requests": ["ephemeral-storage": .string(requested)]],
          ], spec: ["volumes": [["name": "scratch", "emptyDir": [:]]]])
        let pod = try await node.wait(name, until: "ready") { $0.isReady }
        try await eventually("\(name) serves") { await node.get(pod, "/") == "hello" }
        return pod
      }
      let modest = try await serving("modest", requested: "64Mi")
      #expect(await node.get(modest, "/take/bytes/8/scratch/own") != nil)
      let greedy = try await serving("greedy", requested: "1Mi")
      let held = try await attempt(Attack(.pod, "\(way) on a node that has less", on: .nodeDisk)) {
        // It answers when it gets no more, or not at all because it was ended.
        _ = try? await Command.run(
          "/usr/bin/curl",
          [
            "-sf", "--max-time", "60",
            "http://\(greedy.status["podIP"].string ?? ""):8080/take/\(way.what)/\(way.number)/\(way.path)",
          ])
        let ended = try await node.wait("greedy", until: "evicted") { $0.status["phase"].string == "Failed" }
        let message = ended.status["message"].string ?? ""
        return .check(
          ended.status["reason"].string == "Evicted"
            && message.hasPrefix("The node was low on resource: \(way.resource). Pod was using "), message)
      }
      #expect(held)
      // Its files go with its object, and the node has room again.
      try await node.delete("greedy")
      try await eventually("the disk has room") {
        let usage = try FileSystemUsage(of: node.directory)
        return usage.availableBytes > 2 * DiskWatch.reservedBytes(of: usage.totalBytes)
          && usage.freeInodes > usage.totalInodes / 2
      }
      let still = try await node.pod("modest")
      #expect(still.isReady && still.uid == modest.uid && still.containerStatus["restartCount"].int == 0)
      #expect(await node.get(modest, "/") == "hello")
      let next = try await serving("next", requested: "1Mi")
      #expect(await node.get(next, "/take/bytes/8/scratch/own") != nil)
      for name in ["modest", "next"] { try await node.delete(name) }
    }
  }
}
