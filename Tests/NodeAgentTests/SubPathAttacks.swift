import CLinux
import Foundation
import JSONDocument
import KubernetesAPI
import LinuxSystem
import TestSupport
import Testing

import struct Synchronization.Atomic

@testable import NodeAgent

#if canImport(Glibc)
  import Glibc
#endif

/// What a container can put in a volume to reach the node's files through another container's `subPath`.
@Suite(.serialized) struct SubPathAttacks {
  private struct Stage {
    let directory: String
    var volume: String { "\(directory)/volume" }
    var secrets: String { "\(directory)/node" }
    var mounts: String { "\(directory)/subpath/main" }

    static func with(_ body: (Stage) throws -> Void) throws {
      let stage = Stage(directory: "/tmp/nagaya-subpath-\(UUID().uuidString)")
      defer {
        try? SubPath.unmountAll(in: "\(stage.directory)/subpath")
        try? Directory.removeTree(stage.directory)
      }
      try Directory.make("\(stage.volume)/x")
      try Directory.make(stage.secrets, permissions: 0o700)
      try SmallFile.write(Array("the node's".utf8), to: "\(stage.secrets)/secret", permissions: 0o600)
      try body(stage)
    }

    /// Whether anything of the node's directory is seen at a place.
    func isThrough(_ place: String) -> Bool {
      FileStatus.exists("\(place)/secret") || SmallFile.text(place) == "the node's"
    }

    func outcome(_ path: String, isFiles: Bool = false) -> AttackOutcome {
      do throws(PodProblem) {
        let place = try SubPath(path: path, volume: volume, isFiles: isFiles).mount(in: mounts, number: 0)
        if isThrough(place) { return .through("\(path) shows the node's files") }
        let names = Directory.namesIfReadable(in: secrets)
        return .check(names == ["secret"], "\(path) showed \(Directory.namesIfReadable(in: place)), made \(names)")
      } catch { return .check(Directory.namesIfReadable(in: secrets) == ["secret"], error.message) }
    }
  }

  static let tries: [(way: String, link: String?, path: String, isFiles: Bool)] = [
    ("subPath with ..", nil, "../node", false), ("subPath with .. inside", nil, "x/../../node", false),
    ("subPath with a combining mark behind ..", nil, "../\u{301}node", false),
    ("absolute subPath", nil, "/etc", false), ("subPath is a link upwards", "../node", "y", false),
    ("subPath is an absolute link", "", "y", false), ("subPath through a link", "../node", "y/secret", false),
    ("subPath makes directories through a link", "../node", "y/made", false),
    ("subPath through a link to /proc/self/root", "/proc/self/root/etc", "y/passwd", false),
    ("subPath through a link that stays inside, then out", "x/../../node", "y/secret", false),
    ("subPath of a config map through a planted link", "../node", "y/secret", true),
    ("subPath of a config map through an absolute link", "", "y/secret", true),
    ("subPath of a config map with ..", nil, "../node/secret", true),
  ]

  @Test("a path never leads out of its volume", arguments: tries)
  func path(_ attempted: (way: String, link: String?, path: String, isFiles: Bool)) async throws {
    let held = try await attempt(Attack(.editor, attempted.way, on: .nodeFiles)) {
      var outcome = AttackOutcome.through("nothing was tried")
      try Stage.with { (stage: Stage) throws in
        if let link = attempted.link {
          guard symlink(link.isEmpty ? stage.secrets : link, "\(stage.volume)/y") == 0 else {
            throw SystemError.last("symlink", "y")
          }
        }
        outcome = stage.outcome(attempted.path, isFiles: attempted.isFiles)
      }
      return outcome
    }
    #expect(held)
  }

  static let kinds = ["pipe", "socket", "device"]

  @Test("only directories and regular files are mounted", arguments: kinds)
  func special(kind: String) async throws {
    let held = try await attempt(Attack(.editor, "subPath is a \(kind)", on: .nodeDevices)) {
      var outcome = AttackOutcome.through("nothing was tried")
      try Stage.with { (stage: Stage) throws in
        let path = "\(stage.volume)/special"
        let made =
          switch kind {
          case "pipe": mkfifo(path, 0o666)
          case "socket": mknod(path, S_IFSOCK | 0o666, 0)
          default: mknod(path, S_IFCHR | 0o666, 0x105)  // /dev/zero
          }
        guard made == 0 else { throw SystemError.last("mknod", path) }
        do {
          _ = try SubPath(path: "special", volume: stage.volume, isFiles: false).mount(in: stage.mounts, number: 0)
          outcome = .through("a \(kind) was mounted")
        } catch let problem as PodProblem { outcome = .held(problem.message) }
      }
      return outcome
    }
    #expect(held)
  }

  /// Exchanges `x` and `y` of a volume until told to stop.
  private static func exchanging(_ volume: String, _ body: () -> Void) {
    let isOver = Atomic(false)
    let thread = Thread {
      while !isOver.load(ordering: .relaxed) { _ = nagaya_rename("\(volume)/x", "\(volume)/y", 2) }
    }
    thread.start()
    body()
    isOver.store(true, ordering: .relaxed)
    while !thread.isFinished { sched_yield() }
  }

  @Test(
    "a directory that is exchanged with a link all the time never shows the node's files",
    arguments: ["x", "x/deep", "x/made/anew", "x/secret"])
  func race(path: String) async throws {
    let held = try await attempt(Attack(.pod, "RENAME_EXCHANGE beside mounts of \(path)", on: .nodeFiles)) {
      var outcome = AttackOutcome.through("nothing was tried")
      try Stage.with { (stage: Stage) throws in
        try Directory.make("\(stage.volume)/x/deep")
        guard symlink(stage.secrets, "\(stage.volume)/y") == 0 else { throw SystemError.last("symlink", "y") }
        var (mounted, refused) = (0, 0)
        outcome = .held("")
        Self.exchanging(stage.volume) {
          for _ in 0..<2000 where outcome.isHeld {
            let before = outcome
            outcome = stage.outcome(path)
            if case .held(let words) = outcome, words.contains("showed") { mounted += 1 } else { refused += 1 }
            if outcome.isHeld { outcome = before }
          }
        }
        if outcome.isHeld { outcome = .check(mounted + refused == 2000, "\(mounted) mounted, \(refused) refused") }
      }
      return outcome
    }
    #expect(held)
  }

  @Test("containers that start beside the exchange do not see the node's files")
  func pods() async throws {
    try await TestNode.with { node in
      let secrets = "\(node.engine.directory)/node-secrets"
      try Directory.make(secrets, permissions: 0o700)
      try SmallFile.write([1], to: "\(secrets)/flag")
      let held = try await attempt(Attack(.pod, "RENAME_EXCHANGE beside 12 starting containers", on: .nodeFiles)) {
        let mount: JSONValue = ["name": "v", "mountPath": "/m", "subPath": "x"]
        let victims: [JSONValue] = (0..<12).map { number in
          [
            "name": .string("victim-\(number)"), "image": .string(TestEngine.image),
            "args": number % 2 == 0 ? ["exists", "/m/flag"] : ["touch", .string("/m/planted-\(number)")],
            "volumeMounts": [mount],
          ]
        }
        try await node.create(
          "racing", ["name": "main", "args": ["exists", "/m/flag"], "volumeMounts": [mount]],
          spec: [
            "restartPolicy": "Never", "volumes": [["name": "v", "emptyDir": [:]]],
            "initContainers": [
              [
                "name": "swapper", "image": .string(TestEngine.image), "restartPolicy": "Always",
                "args": ["exchange", "/v", .string(secrets)], "volumeMounts": [["name": "v", "mountPath": "/v"]],
              ]
            ], "containers": .array(victims),
          ])
        // Each has run, or was refused at least once.
        let pod = try await node.wait("racing", until: "all were tried") {
          $0.status["containerStatuses"].elements.count == 13
            && $0.status["containerStatuses"].elements.allSatisfy {
              !$0["state"]["terminated"].isNull
                || $0["state"]["waiting"]["message"].string?.contains("subPath") == true
            }
        }
        let ended = pod.status["containerStatuses"].elements.filter { !$0["state"]["terminated"].isNull }
        let saw = ended.filter { status in
          let name = status["name"].string ?? ""
          let number = Int(name.dropFirst("victim-".count)) ?? 0
          return number % 2 == 0 && status["state"]["terminated"]["exitCode"].int == 0
        }
        let names = try Directory.names(in: secrets)
        return .check(saw.isEmpty && names == ["flag"], "\(ended.count) ran, \(saw.count) saw, \(names) there")
      }
      #expect(held)
      try await node.delete("racing")
      let places = "\(node.directory)/pods/"
      try await eventually("no mount is left") { !TestEngine.mounts().contains { $0.hasPrefix(places) } }
      #expect(try Directory.names(in: secrets) == ["flag"])
    }
  }

  @Test("parts of volumes stay over a new agent, and go with their pod")
  func adopted() async throws {
    try await TestNode.withoutAgent { node in
      @Sendable func places(_ pod: KubernetesObject) -> [String] {
        TestEngine.mounts().filter { $0.hasPrefix("\(node.directory)/pods/\(pod.uid)/volumes/subpath/") }
      }
      var map = KubernetesObject(.configMaps, namespace: "default", name: "files")
      map["data"] = ["a": "of the map"]
      try await node.client.create(map, as: .configMaps)
      try await node.withAgent { _ in
        try await node.create(
          "parted",
          [
            "args": ["serve"], "env": [["name": "PART", "value": "by/name"]],
            "volumeMounts": [
              ["name": "v", "mountPath": "/part", "subPath": "new/part"],
              ["name": "v", "mountPath": "/named", "subPathExpr": "$(PART)"],
              ["name": "files", "mountPath": "/etc/a", "subPath": "a"],
            ],
          ],
          spec: ["volumes": [["name": "v", "emptyDir": [:]], ["name": "files", "configMap": ["name": "files"]]]])
        let pod = try await node.wait("parted", until: "ready") { $0.isReady }
        try await eventually("it serves") { await node.get(pod, "/write/part/mine") != nil }
        #expect(await node.get(pod, "/file/etc/a") == "of the map")
        #expect(await node.get(pod, "/write/named/too") != nil)
        #expect(places(pod).count == 3)
      }
      let pod = try await node.pod("parted")
      let volume = "\(node.directory)/pods/\(pod.uid)/volumes/empty/v"
      #expect(SmallFile.text("\(volume)/new/part/mine") == "ok" && SmallFile.text("\(volume)/by/name/too") == "ok")
      try await node.withAgent { _ in
        #expect(places(pod).count == 3)
        // A run that ends gives its places to the next one.
        _ = await node.get(pod, "/quit")
        try await node.wait("parted", until: "restarted") { $0.isReady && $0.containerStatus["restartCount"].int == 1 }
        #expect(places(pod).count == 3)
        try await eventually("it sees what it wrote") { await node.get(pod, "/file/part/mine") == "ok" }
      }
      // The object goes while no agent runs, as after a crash.
      try await node.client.delete(
        .pods, namespace: "default", name: "parted", uid: pod.uid, gracePeriodSeconds: 0)
      try await node.withAgent { _ in
        try await eventually("nothing of the pod is left") {
          places(pod).isEmpty && !FileStatus.exists("\(node.directory)/pods/\(pod.uid)")
        }
      }
    }
  }
}
