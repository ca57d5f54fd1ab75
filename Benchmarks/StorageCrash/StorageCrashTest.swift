import ArgumentParser
import Foundation
import KubernetesAPI
import LinuxSystem
import PlatformHarness

/// Kills who stores volumes while they are made, written, grown, kept, copied, moved and deleted, and compares every byte.
struct StorageCrashTest: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "crash-storage",
    abstract:
      "Kill two nodes' storage, the controller and the API server again and again; no volume may be lost, no byte change."
  )

  @Option(help: "How often something is killed, for each kind of pool.")
  var rounds = 100

  @Option(help: "Longest time between two kills, in milliseconds.")
  var longest = 1500

  @Option(help: "Volumes at once.")
  var workers = 4

  @Option(help: "Kinds of pools: file, lvm-thick, lvm-thin. LVM's run in a guest that has its kernel.")
  var backend = StorageBackend.allCases

  @Option(help: "The build whose binary is killed: debug or release.")
  var configurationName = "release"

  @Flag(help: "Keep the directory with all logs.")
  var keep = false

  func run() async throws {
    var failed = false
    for backend in backend {
      report("==> \(backend.rawValue)")
      do {
        if backend.needsGuest, !StorageBackend.isGuest {
          try StorageBackend.runInGuest(
            [
              "crash-storage", "--backend", backend.rawValue, "--rounds", "\(rounds)", "--longest", "\(longest)",
              "--workers", "\(min(workers, 2))", "--configuration-name", configurationName,
            ], seconds: 3000, diskSize: "4G")
        } else {
          try await crash(backend)
        }
      } catch let code as ExitCode where code != .success { failed = true }
    }
    if failed { throw ExitCode(1) }
  }

  private func crash(_ backend: StorageBackend) async throws {
    let nodes = ["crash-a", "crash-b"]
    for (node, disk) in zip(nodes, ["/dev/ubda", "/dev/ubdb"]) { try await backend.prepare(group: node, disk: disk) }
    let cluster = try StorageCluster(
      "crash-storage", backend: backend, nodes: nodes, configuration: configurationName)
    do {
      let findings = CrashFindings()
      try await cluster.up()
      let unasked = try await kill(cluster, findings)
      let leaks = try await leaks(cluster)
      leaks.forEach { report("left behind: \($0)") }
      print(findings.done.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
      let isGood = findings.lostCount == 0 && findings.wrongCount == 0 && leaks.isEmpty && unasked == 0
      if !isGood { print(cluster.lastWords) }
      await cluster.destroy(keeping: keep)
      if keep { print("logs: \(cluster.directory)") }
      let name = backend.rawValue
      Figure.show([
        Figure(name: "crash.lost_volumes.\(name)", value: Double(findings.lostCount), unit: "count", digits: 0),
        Figure(name: "crash.checksum_errors.\(name)", value: Double(findings.wrongCount), unit: "count", digits: 0),
        Figure(name: "crash.leaks.\(name)", value: Double(leaks.count), unit: "count", digits: 0),
        Figure(name: "crash.unasked_ends.\(name)", value: Double(unasked), unit: "count", digits: 0),
        Figure(name: "crash.rounds.\(name)", value: Double(rounds), unit: "count", digits: 0),
      ])
      guard isGood else { throw ExitCode(1) }
    } catch let code as ExitCode { throw code } catch {
      print(cluster.lastWords)
      await cluster.destroy(keeping: keep)
      throw error
    }
  }

  /// Lets the workers work, and kills meanwhile.
  /// - Returns: how often a part ended that nobody had killed.
  private func kill(_ cluster: StorageCluster, _ findings: CrashFindings) async throws -> Int {
    var drivers: [String: BenchedDriver] = [:]
    for node in cluster.nodes {
      drivers[node] = try BenchedDriver(in: "\(cluster.directory)/\(node)", pool: cluster.backend.pool)
    }
    let known = drivers
    return try await withThrowingTaskGroup(of: Void.self) { connections in
      for driver in known.values { connections.addTask { try await driver.stayConnected() } }
      defer { connections.cancelAll() }
      return try await withThrowingTaskGroup(of: Void.self) { group in
        for worker in 0..<workers {
          group.addTask {
            await VolumeWorker(name: "w\(worker)", cluster: cluster, drivers: known, findings: findings).run()
          }
        }
        var unasked = 0
        let began = ContinuousClock.now
        // Nodes twice as often: most steps are theirs.
        let victims = cluster.parts + cluster.nodes.map(StorageCluster.Part.node)
        for round in 1...rounds {
          try await Task.sleep(for: .milliseconds(Int.random(in: 0...longest)))
          for part in cluster.ended {
            report("round \(round): \(part) ended, and nobody had killed it")
            unasked += 1
            try cluster.start(part)
          }
          let victim = victims[round % victims.count]
          try await cluster.kill(victim)
          try await Task.sleep(for: .milliseconds(Int.random(in: 0...300)))
          try cluster.start(victim)
          if round % 20 == 0 {
            report(
              "round \(round)/\(rounds): \(findings.done["sequences"] ?? 0) sequences, \(findings.done["moves"] ?? 0) moves, \(findings.lostCount) lost, \(findings.wrongCount) wrong, \(Int((ContinuousClock.now - began).seconds)) s"
            )
          }
        }
        findings.end()
        try await group.waitForAll()
        return unasked
      }
    }
  }

  /// Ends everything in order, and looks for what is left.
  private func leaks(_ cluster: StorageCluster) async throws -> [String] {
    var leaks: [String] = []
    for resource in [
      Resource.persistentVolumes, .persistentVolumeClaims, .volumeSnapshots, .volumeSnapshotContents, .volumeMoves,
    ] {
      leaks += try await cluster.client.list(resource).items.map { "\(resource.kind) \($0.name)" }
    }
    // A deletion that was cut off is repeated by the storage's next look.
    try await cluster.stop()
    for part in cluster.parts { try cluster.start(part) }
    try await Task.sleep(for: .seconds(2))
    try await cluster.stop()
    leaks += try LoopDevice.all().filter { $0.file.hasPrefix(cluster.directory) }.map { "\($0.device) of \($0.file)" }
    leaks += try Mounts.table().mounts(under: cluster.directory).map { "mount \($0.mountPoint)" }
    for node in cluster.nodes {
      let shell = Shell()
      leaks += try await shell("find \(cluster.directory)/\(node)/pool -type f -size +64k").out.split(separator: "\n")
        .map { "file \($0)" }
      if cluster.backend.needsGuest {
        leaks += try await shell("lvs --noheadings -o lv_name \(node)").out.split(whereSeparator: \.isWhitespace)
          .filter { $0 != StorageBackend.thinPool }.map { "logical volume \(node)/\($0)" }
      }
    }
    return leaks
  }
}
