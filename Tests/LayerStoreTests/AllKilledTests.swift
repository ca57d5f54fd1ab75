import Foundation
import LayerStore
import LinuxSystem
import OCI
import PlatformHarness
import TestSupport
import Testing

/// What runs of a store is killed, every subset of it and all in one step, under programs that read on: reads may fail, they
/// never show zeros, and once everything is back no page is wrong.
@Suite(.serialized) struct AllKilledTests {
  private static let sizes = [700_000, 5_000_000, 40, 1_900_000]

  /// Who is killed, and how.
  private struct Death: CustomStringConvertible {
    var isDaemon = false
    var helpers: [String] = []
    /// With their control group: the kernel kills all in one step.
    var isGroup = false

    var description: String {
      isGroup ? "their control group" : ((isDaemon ? ["daemon"] : []) + helpers).joined(separator: ", ")
    }

    static func all(_ helpers: [String]) -> [Death] {
      let subsets = helpers.reduce([[]]) { (some: [[String]], helper) in some + some.map { $0 + [helper] } }
      return subsets.flatMap { some in
        [Death(isDaemon: true, helpers: some)] + (some.isEmpty ? [] : [Death(helpers: some)])
      } + [Death(isDaemon: true, helpers: helpers, isGroup: true)]
    }
  }

  /// What a program read.
  private struct Tally {
    var good = 0
    var errors = 0
    var zeros = 0
    var wrong = 0
    var reads: Int { good + errors + zeros + wrong }

    init(_ path: String) {
      let numbers = (SmallFile.text(path) ?? "").split(separator: " ").compactMap { Int($0) }
      guard numbers.count == 4 else { return }
      (good, errors, zeros, wrong) = (numbers[0], numbers[1], numbers[2], numbers[3])
    }
  }

  @Test func `whatever is killed, reads wait or fail, and nothing wrong is read, then or later`() async throws {
    var (zeros, stale) = (0, 0)
    for death in Death.all([LayerKeeper.command, LayerGuard.command]) {
      let found = try await kill(death, .fanotify)
      (zeros, stale) = (zeros + found.zeros, stale + found.stale)
    }
    for death in Death.all([LayerKeeper.command]) {
      let found = try await kill(death, .fuse)
      (zeros, stale) = (zeros + found.zeros, stale + found.stale)
    }
    figure("allkilled.zeros", zeros, "count")
    #expect(zeros == 0)
    // The other way to have such pages is that nobody held the questions.
    stale += try await staleWithoutHolder()
    figure("allkilled.stale_pages", stale, "count")
    #expect(stale == 0)
  }

  /// - Returns: blocks that were read wrong while programs were killed, and after everything was back.
  private func kill(_ death: Death, _ path: FillPath) async throws -> (zeros: Int, stale: Int) {
    guard death.isGroup else { return try await kill(death, path, nil) }
    let group = try await ControlGroup()
    do {
      let found = try await kill(death, path, group)
      await group.remove()
      return found
    } catch {
      await group.remove()
      throw error
    }
  }

  private func kill(_ death: Death, _ path: FillPath, _ group: ControlGroup?) async throws -> (zeros: Int, stale: Int) {
    let layer = try await TestLayer.converted(Self.sizes, chunkBytes: 30_000)
    let hex = layer.key.blob.hex
    // On the path on which nobody but the service manager could save the readers, there is one.
    return try await withDaemon([layer], by: path, kept: path == .fanotify ? 64 : nil) { daemon in
      let tracer = group?.entrance ?? ""
      try await daemon.start(["quiet", "add:\(hex)", "mount:\(hex)"], under: tracer)
      try await daemon.settled()
      let merged = try await overlay(daemon, layer)
      let readers = ["one", "two"].map { "\(daemon.place.root)/\($0)" }
      for result in readers { try await begin("through", merged, daemon, layer, result) }
      try await eventually("programs read") { readers.allSatisfy { Tally($0).good > 30 } }
      let doomed = (death.isDaemon ? daemon.processes() : []) + death.helpers.flatMap { daemon.helpers($0) }
      #expect(doomed.count == (death.isDaemon ? 1 : 0) + death.helpers.count, "\(death)")
      let before = readers.map { Tally($0).reads }
      if let group { try group.kill() } else { for victim in doomed { Glibc.kill(victim, SIGKILL) } }
      try await eventually("\(death): dead") { doomed.allSatisfy { !daemon.isAlive($0) } }
      try await eventually("\(death): programs go on, or wait") {
        try readers.indices.allSatisfy { Tally(readers[$0]).reads > before[$0] + 100 }
          || daemon.waitingReaders() > 0
      }
      if death.isDaemon {
        let isBack = try await daemon.start(["quiet", "mount:\(hex)"], under: tracer)
        guard isBack else { throw Timeout(what: "\(path), \(death): the daemon does not come back") }
      }
      try await daemon.settled()
      let during = readers.map { Tally($0).reads }
      try await eventually("\(death): programs go on") {
        readers.indices.allSatisfy { Tally(readers[$0]).reads > during[$0] + 100 }
      }
      for result in readers {
        try SmallFile.write([], to: "\(result).stop")
        try await eventually("\(death): a program ends") { FileStatus.exists("\(result).end") }
      }
      let found = readers.map { Tally("\($0).end") }
      let zeros = found.reduce(0) { $0 + $1.zeros + $1.wrong }
      #expect(zeros == 0, "\(path), \(death): \(found)")
      // Who had the layer then, and who gets it now.
      let isAborted = path == .fuse && death.isDaemon && !death.helpers.isEmpty
      var after = try await once(merged, daemon, layer)
      if !isAborted {
        // A guard that is older than the daemon may be asked first, and refuses until the daemon is before it.
        try await eventually("\(death): everything can be read") {
          after = try await once(merged, daemon, layer)
          return after.errors == 0
        }
      }
      let new = try await once(daemon.mountPoint(layer), daemon, layer)
      #expect(new.errors == 0 && new.zeros == 0 && new.wrong == 0, "\(path), \(death): \(new)")
      let stale = after.zeros + after.wrong + new.zeros + new.wrong
      #expect(stale == 0, "\(path), \(death): \(after)")
      if isAborted {
        #expect(Directory.namesIfReadable(in: "\(daemon.place.runDirectory)/lost").count == 1)
        try await shell.succeed("umount '\(merged)'")
        try await eventually("the lost one is forgotten with the last who had it") {
          Directory.namesIfReadable(in: "\(daemon.place.runDirectory)/lost").isEmpty
        }
      }
      return (zeros, stale)
    }
  }

  /// All die, and there is no service manager: zeros are read (that is what it is for), until the daemon is back.
  /// - Returns: blocks that are wrong after that.
  private func staleWithoutHolder() async throws -> Int {
    let layer = try await TestLayer.converted(Self.sizes, chunkBytes: 30_000)
    let hex = layer.key.blob.hex
    return try await withDaemon([layer], by: .fanotify) { daemon in
      try await daemon.startProtected(["quiet", "add:\(hex)", "mount:\(hex)"])
      let merged = try await overlay(daemon, layer)
      let reader = "\(daemon.place.root)/one"
      try await begin("through", merged, daemon, layer, reader)
      try await eventually("a program reads") { Tally(reader).good > 30 }
      for victim in daemon.processes() + daemon.helpers() { Glibc.kill(victim, SIGKILL) }
      try await eventually("zeros are read") { Tally(reader).zeros > 100 }
      try await daemon.start(["quiet", "mount:\(hex)"])
      try await daemon.settled()
      let before = Tally(reader)
      try await eventually("it goes on") { Tally(reader).reads > before.reads + 200 }
      try SmallFile.write([], to: "\(reader).stop")
      try await eventually("it ends") { FileStatus.exists("\(reader).end") }
      let after = try await once(merged, daemon, layer)
      let new = try await once(daemon.mountPoint(layer), daemon, layer)
      #expect(after.errors == 0 && new.errors == 0)
      return after.zeros + after.wrong + new.zeros + new.wrong
    }
  }

  @Test func `pages that a program has mapped while nobody was there are told, and nobody new gets them`() async throws
  {
    let layer = try await TestLayer.converted(Self.sizes, chunkBytes: 30_000)
    let hex = layer.key.blob.hex
    try await withDaemon([layer], by: .fanotify) { daemon in
      try await daemon.startProtected(["quiet", "add:\(hex)", "mount:\(hex)"])
      let merged = try await overlay(daemon, layer)
      for victim in daemon.processes() + daemon.helpers() { Glibc.kill(victim, SIGKILL) }
      let reader = "\(daemon.place.root)/map"
      try await begin("map", merged, daemon, layer, reader)
      try await eventually("zeros are mapped") { Tally(reader).zeros > 100 }
      try await daemon.start(["quiet", "mount:\(hex)"])
      #expect(daemon.log.contains("restart containers that use it"))
      let new = try await once(daemon.mountPoint(layer), daemon, layer)
      #expect(new.errors == 0 && new.zeros == 0 && new.wrong == 0, "\(new)")
      let lost = "\(daemon.place.runDirectory)/lost"
      #expect(Directory.namesIfReadable(in: lost).count == 1)
      // It stays known, also to the next process, as long as somebody has it.
      try await daemon.terminate()
      try await daemon.start(["complete:\(hex)"])
      #expect(Directory.namesIfReadable(in: lost).count == 1)
      try SmallFile.write([], to: "\(reader).stop")
      try await shell.succeed("until umount '\(merged)'; do sleep 0.05; done")
      try await eventually("it is forgotten") { Directory.namesIfReadable(in: lost).isEmpty }
    }
  }

  @Test(arguments: [0, 64]) func `a service manager is relied on if it keeps what it is given`(_ kept: Int) async throws
  {
    let layer = try await TestLayer.converted(Self.sizes)
    let hex = layer.key.blob.hex
    try await withDaemon([layer], by: .fuse, kept: kept) { daemon in
      try await daemon.start(["fill:auto", "add:\(hex)", "mount:\(hex)"])
      #expect(daemon.log.contains("fill=\(kept == 0 ? "fuse" : "fanotify")"))
      let root = daemon.mountPoint(layer)
      #expect(try await sha256("\(root)/f0") == layer.digests["f0"])
      try await daemon.settled()
      for victim in daemon.processes() + daemon.helpers() { Glibc.kill(victim, SIGKILL) }
      if kept == 0 {
        #expect(try await shell("cat '\(root)/f1'").error.contains("Input/output error"))
        try await daemon.start(["fill:auto"])
      } else {
        async let found = sha256("\(root)/f1")
        try await eventually("it waits") { try daemon.waitingReaders() == 1 }
        try await daemon.start(["fill:auto"])
        #expect(try await found == layer.digests["f1"])
      }
      #expect(try await digests(root) == layer.digests)
    }
  }

  // MARK: Programs

  /// As a container has a layer.
  private func overlay(_ daemon: Daemon, _ layer: TestLayer) async throws -> String {
    let merged = "\(daemon.place.root)/merged"
    try await shell.succeed(
      "mkdir '\(merged)' '\(merged)-empty'; mount -t overlay overlay -o 'lowerdir=\(daemon.mountPoint(layer)):\(merged)-empty' '\(merged)'"
    )
    return merged
  }

  private func command(_ mode: String, _ directory: String, _ daemon: Daemon, _ layer: TestLayer, _ result: String)
    -> String
  {
    let truth = "\(daemon.place.root)/specs/\(layer.key.blob.hex).truth"
    return "'\(Daemon.program)' read '\(daemon.place.root)' \(mode) '\(directory)' '\(truth)' '\(result)'"
  }

  private func begin(
    _ mode: String, _ directory: String, _ daemon: Daemon, _ layer: TestLayer, _ result: String
  ) async throws {
    try await shell.succeed("\(command(mode, directory, daemon, layer, result)) >/dev/null 2>&1 </dev/null &")
  }

  private func once(_ directory: String, _ daemon: Daemon, _ layer: TestLayer) async throws -> Tally {
    let result = "\(daemon.place.root)/once"
    try await shell.succeed(command("once", directory, daemon, layer, result), seconds: 120)
    return Tally(result)
  }
}

/// Processes that the kernel kills in one step (cgroup v2, `cgroup.kill`).
private struct ControlGroup {
  private let root = "/tmp/nagaya-group-\(UInt32.random(in: 0 ... .max))"
  private var path: String { "\(root)/\(root.split(separator: "/").last ?? "")" }
  /// A program that enters it and becomes the one whose name and arguments follow.
  var entrance: String { "\(root).enter" }

  init() async throws {
    try await shell.succeed(
      """
      mkdir '\(root)' && mount -t cgroup2 none '\(root)' && mkdir '\(path)'
      printf '#!/bin/sh\\necho $$ > %s/cgroup.procs\\nexec "$@"\\n' '\(path)' > '\(entrance)'; chmod 755 '\(entrance)'
      """)
  }

  func kill() throws { try KernelSetting.write("1", to: "\(path)/cgroup.kill") }

  func remove() async {
    _ = try? await shell(
      """
      echo 1 > '\(path)/cgroup.kill'; for i in $(seq 100); do rmdir '\(path)' && break; sleep 0.05; done
      umount '\(root)' && rmdir '\(root)'; rm -f '\(entrance)'
      """)
  }
}
