import CRI
import Foundation
import JSONDocument
import KubernetesAPI
import LinuxSystem
import TestSupport
import Testing

@testable import NodeAgent

/// What a pod gets of the node beyond what it was given. All tries of one kind run in the same pod.
@Suite("Attacks of pods on what the node has", .serialized)
struct NodeLimitAttacks {
  private static func expectHeld(
    _ way: String, _ target: Attack.Target, _ run: () async throws -> AttackOutcome
  ) async throws {
    let held = try await attempt(Attack(.pod, way, on: target), run)
    #expect(held, "\(way)")
  }

  /// What a pod got of something (`TestProgram`, `/take/…`).
  private static func take(
    _ what: String, _ number: Int, _ path: String = "x", of pod: KubernetesObject, _ node: TestNode
  ) async throws -> Int? {
    let address = pod.status["podIP"].string ?? ""
    let url = "http://\(address):8080/take/\(what)/\(number)/\(path)"
    return try? Int(await Command.run("/usr/bin/curl", ["-sf", "--max-time", "60", url]))
  }

  private static func serving(
    _ name: String, _ container: JSONValue = [:], spec: JSONValue = [:], on node: TestNode
  ) async throws -> KubernetesObject {
    var container = container
    container["args"] = ["serve"]
    try await node.create(name, container, spec: spec)
    let pod = try await node.wait(name, until: "ready") { $0.isReady }
    try await eventually("\(name) serves") { await node.get(pod, "/") == "hello" }
    return pod
  }

  private static func size(_ path: String) -> Int64 { ((try? FileStatus(of: path)) ?? nil)?.allocatedBytes ?? 0 }

  @Test("processes, open files and the small files of the node are bounded")
  func countedThings() async throws {
    try await TestNode.with { node in
      let pod = try await Self.serving("greedy", on: node)
      let small = "\(node.directory)/pods/\(pod.uid)/small"
      for (path, file) in [
        ("etc/hosts", "hosts"), ("etc/resolv.conf", "resolv.conf"), ("etc/hostname", "hostname"),
        ("dev/termination-log", "main/0.termination"),
      ] {
        try await Self.expectHeld("500 MB into /\(path)", .nodeDisk) {
          let got = try #require(await Self.take("bytes", 500, path, of: pod, node))
          let on = Self.size("\(small)/\(file)")
          return .check(got < 1 << 20 && on < 1 << 20, "\(got) bytes, \(on) on the node")
        }
        try await Self.expectHeld("500 MB allocated in /\(path)", .nodeDisk) {
          let got = try #require(await Self.take("allocated", 500, path, of: pod, node))
          return .check(got <= 0 && Self.size("\(small)/\(file)") < 1 << 20, "\(got)")
        }
      }
      try await Self.expectHeld("500 MB into /dev/shm", .nodeMemory) {
        let got = try #require(await Self.take("bytes", 500, "dev/shm/x", of: pod, node))
        return .check(got <= 64 << 20, "\(got) bytes")
      }
      try await Self.expectHeld("open 200,000 files", .nodeProcesses) {
        let got = try #require(await Self.take("files-open", 200_000, of: pod, node))
        return .check(got <= NodeLimits.openFiles, "\(got) files")
      }
      try await node.delete("greedy")
      let forking = try await Self.serving("forking", on: node)
      try await Self.expectHeld("fork 1,500 processes", .nodeProcesses) {
        let got = try #require(await Self.take("processes", 1500, of: forking, node))
        return .check(got > 100 && got < NodeLimits().podProcesses, "\(got) processes")
      }
      try await Self.expectHeld("stay after the end with 1,000 processes", .nodeProcesses) {
        let group = ControlGroup(path: "\(NodeLimits().controlGroup)/pods/\(forking.uid)")
        try await node.delete("forking")
        return .check(
          group.processes.isEmpty && group.directory("pids").map { !FileStatus.exists($0) } ?? true, "group is gone")
      }
    }
  }

  @Test("a disk limit ends the pod, whatever the bytes are written into")
  func disk() async throws {
    try await TestNode.with { node in
      let limits: JSONValue = ["resources": ["limits": ["ephemeral-storage": "16Mi"]]]
      let ways: [(way: String, what: String, number: Int, path: String)] = [
        ("300 MB into the root layer", "bytes", 300, "big"), ("300 MB allocated, not written", "allocated", 300, "big"),
        ("300 MB into an emptyDir", "bytes", 300, "scratch/big"), ("100 MB of log in one line", "log", 100, "x"),
        ("directories nested 2,000 deep", "depth", 2000, "scratch/deep"),
      ]
      for (index, way) in ways.enumerated() {
        try await Self.expectHeld(way.way, .nodeDisk) {
          var container = limits
          container["volumeMounts"] = [["name": "scratch", "mountPath": "/scratch"]]
          let name = "disk-\(index)"
          let pod = try await Self.serving(
            name, container, spec: ["volumes": [["name": "scratch", "emptyDir": [:]]]], on: node)
          _ = try await Self.take(way.what, way.number, way.path, of: pod, node)
          let ended = try await node.wait(name, until: "evicted") { $0.status["phase"].string == "Failed" }
          let message = ended.status["message"].string ?? ""
          try await node.delete(name)
          return .check(ended.status["reason"].string == "Evicted" && !message.isEmpty, message)
        }
      }
      try await Self.expectHeld("a sparse file of 1 TB counts for what it takes", .nodeDisk) {
        let pod = try await Self.serving("sparse", limits, on: node)
        let got = try #require(await Self.take("hole", 1 << 20, "hole", of: pod, node))
        try await eventually("it was measured") {
          await node.get(pod, "/") == "hello" && WritableLayer.directory(of: pod.mainContainerID) != nil
        }
        let layer = try #require(WritableLayer.directory(of: pod.mainContainerID))
        let taken = Self.size("\(layer)/hole")
        try await node.delete("sparse")
        return .check(got > 0 && taken < 1 << 20, "\(taken) bytes on the disk")
      }
    }
  }

  @Test("a log stays bounded: one endless line, a flood, and a flood over a restart of containerd")
  func logs() async throws {
    try await TestNode.with { node in
      let pod = try await Self.serving("talking", spec: ["restartPolicy": "Never"], on: node)
      let place = "\(PodConfigurations.logDirectory(pod, below: node.directory))/main"
      func bytes() -> Int64 {
        Directory.namesIfReadable(in: place).map { Self.size("\(place)/\($0)") }.reduce(0, +)
      }
      try await Self.expectHeld("one line of 64 MB", .nodeDisk) {
        let got = try #require(await Self.take("log", 64, of: pod, node))
        let longest = (SmallFile.text("\(place)/0.log") ?? "").split(separator: "\n").map(\.utf8.count).max() ?? 0
        return .check(
          got == 64 << 20 && longest < 2 * ContainerdConfiguration.logLineBytes, "longest line \(longest) bytes")
      }
      try await Self.expectHeld("a flood while containerd is killed", .nodeDisk) {
        _ = try await Self.take("flood", 1, of: pod, node)
        let process = try #require(Int32(SmallFile.text(node.engine.layout.processFile)?.filter { $0 != "\n" } ?? ""))
        kill(process, SIGKILL)
        try await node.engine.engine.start()
        var most: Int64 = 0
        let ended = try await eventually {
          most = max(most, bytes())
          return try await node.pod("talking").status["phase"].string == "Failed"
        }
        return .check(ended && most < 512 << 20, "at most \(most >> 20) MiB on the disk, pod ended: \(ended)")
      }
      try await eventually("what it logged too much is cut off") { bytes() < 64 << 20 }
      try await node.delete("talking")
    }
  }

  @Test("a pod that eats memory dies, and neither containerd nor this process does")
  func memory() async throws {
    try await TestNode.with { node in
      let own = ProcessInfo.processInfo.processIdentifier
      let process = try #require(Int32(SmallFile.text(node.engine.layout.processFile)?.filter { $0 != "\n" } ?? ""))
      let limited: JSONValue = ["resources": ["limits": ["memory": "64Mi"]]]
      func platformLives() -> Bool { DetachedProcess(id: process).isRunning && kill(own, 0) == 0 }
      for (index, what) in ["memory", "eaters"].enumerated() {
        try await Self.expectHeld(
          "1 GB of memory by \(what == "memory" ? "one process" : "many small ones")", .platformProcess
        ) {
          let name = "eater-\(index)"
          let pod = try await Self.serving(name, limited, spec: ["restartPolicy": "Never"], on: node)
          let group = ControlGroup(path: "\(NodeLimits().controlGroup)/pods/\(pod.uid)")
          _ = try await Self.take(what, what == "memory" ? 1024 : 250, of: pod, node)
          let used = group.workingSetBytes ?? 0
          try await node.delete(name)
          return .check(platformLives() && used <= 64 << 20, "\(used >> 20) MiB at the end")
        }
      }
      try await Self.expectHeld("500 MB in a memory-backed volume of a pod with 64 MiB", .nodeMemory) {
        var container = limited
        container["volumeMounts"] = [["name": "m", "mountPath": "/m"]]
        let pod = try await Self.serving(
          "tmpfs", container,
          spec: ["restartPolicy": "Never", "volumes": [["name": "m", "emptyDir": ["medium": "Memory"]]]], on: node)
        let got = try await Self.take("bytes", 500, "m/x", of: pod, node) ?? 0
        let used = ControlGroup(path: "\(NodeLimits().controlGroup)/pods/\(pod.uid)").workingSetBytes ?? 0
        try await node.delete("tmpfs")
        return .check(got <= 64 << 20 && used <= 64 << 20 && platformLives(), "\(got) bytes")
      }
      try await Self.expectHeld("be spared by the kernel as a Guaranteed pod", .platformProcess) {
        let resources: JSONValue = ["cpu": "10m", "memory": "32Mi"]
        let pod = try await Self.serving(
          "guaranteed", ["resources": ["limits": resources, "requests": resources]], on: node)
        func score(_ process: Int32) -> Int {
          SmallFile.text("/proc/\(process)/oom_score_adj").flatMap { Int($0.filter { $0 != "\n" }) } ?? -2000
        }
        let shims = DetachedProcess.all(withArgument: node.engine.layout.socket).filter {
          $0.isNamed("containerd-shim")
        }
        for shim in shims { shim.raiseOutOfMemoryScore(to: OutOfMemoryScores.current.shim) }
        let containers = ControlGroup(path: "\(NodeLimits().controlGroup)/pods/\(pod.uid)").processes
          .filter { SmallFile.text("/proc/\($0)/cmdline")?.hasPrefix("/box\0serve") == true }
        let (first, middle) = (containers.map(score).min() ?? -2000, shims.map { score($0.id) })
        try await node.delete("guaranteed")
        return .check(
          !shims.isEmpty && first > (middle.max() ?? 2000) && (middle.min() ?? -2000) > score(process)
            && score(process) > score(own),
          "container \(first), shims \(middle), containerd \(score(process)), this \(score(own))")
      }
      try await Self.expectHeld("let containerd grow without a bound", .platformProcess) {
        let group = EngineControlGroups(below: NodeLimits().controlGroup).engine
        return .check(group.processes.contains(process), "containerd is in \(group.path)")
      }
    }
  }
}

extension KubernetesObject {
  fileprivate var mainContainerID: String {
    String((containerStatus["containerID"].string ?? "").dropFirst("containerd://".count))
  }
}
