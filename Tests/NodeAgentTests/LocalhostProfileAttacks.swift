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

/// What a profile's name may lead to on the node.
@Suite(.serialized) struct LocalhostProfileAttacks {
  private static let profile = #"{"defaultAction": "SCMP_ACT_ALLOW"}"#

  private static func withProfiles(_ body: (String, LocalhostProfiles) throws -> Void) throws {
    let directory = "/tmp/nagaya-profiles-\(UUID().uuidString)"
    defer { try? Directory.removeTree(directory) }
    let seccomp = "\(directory)/seccomp"
    try Directory.make("\(seccomp)/team")
    try SmallFile.write(Array(profile.utf8), to: "\(seccomp)/team/good.json")
    try SmallFile.write(Array(profile.utf8), to: "\(directory)/outside.json")
    try SmallFile.write(Array("root:x:0:0".utf8), to: "\(seccomp)/text")
    try SmallFile.write(Array("{}".utf8), to: "\(seccomp)/empty")
    let padding = String(repeating: " ", count: LocalhostProfiles.limit)
    try SmallFile.write(Array((profile + padding).utf8), to: "\(seccomp)/large")
    for (name, target) in [
      ("link", "../outside.json"), ("zero", "/dev/zero"), ("loop", "loop"), ("above", ".."),
      ("inside", "team/good.json"),
    ] where symlink(target, "\(seccomp)/\(name)") != 0 {
      throw SystemError.last("symlink", name)
    }
    guard mkfifo("\(seccomp)/pipe", 0o600) == 0, mknod("\(seccomp)/device", S_IFCHR | 0o600, 0x105) == 0 else {
      throw SystemError.last("mknod", seccomp)
    }
    try body(directory, LocalhostProfiles(directory: directory))
  }

  static let names = [
    "../outside.json", "/etc/passwd", "/dev/zero", "team/../../outside.json", "link", "zero", "loop",
    "above/outside.json",
    "inside", "pipe", "device", "team", "text", "empty", "large", "none", "", ".", "team//good.json", "..",
  ]

  @Test("a name leads to a regular file of the administrator's directory or nowhere", arguments: names)
  func seccomp(name: String) async throws {
    let held = try await attempt(Attack(.editor, "seccomp profile \(name.debugDescription)", on: .nodeFiles)) {
      var outcome = AttackOutcome.through("nothing was tried")
      try Self.withProfiles { (directory: String, profiles: LocalhostProfiles) throws in
        do throws(PodProblem) {
          let copy = try profiles.seccomp(name, copiedTo: "\(directory)/copies", for: "main")
          outcome = .through("\(copy): \(SmallFile.text(copy)?.prefix(50) ?? "")")
        } catch {
          // The words are the same for what is there and what is not.
          let missing = #expect(throws: PodProblem.self) {
            try profiles.seccomp("none", copiedTo: "\(directory)/copies", for: "main")
          }
          outcome = .check(
            error.message == missing?.message.replacingOccurrences(of: "\"none\"", with: "\"\(name)\"")
              && !FileStatus.exists("\(directory)/copies"), error.message)
        }
      }
      return outcome
    }
    #expect(held)
  }

  @Test(
    "AppArmor profiles are those of the administrator's directory",
    arguments: ["unconfined", "docker-default", "../seccomp/text"])
  func appArmor(name: String) async throws {
    let held = try await attempt(Attack(.editor, "AppArmor profile \(name)", on: .nodeFiles)) {
      var outcome = AttackOutcome.through("nothing was tried")
      try Self.withProfiles { (directory: String, profiles: LocalhostProfiles) throws in
        try Directory.make("\(directory)/apparmor")
        try SmallFile.write([], to: "\(directory)/apparmor/unconfined")
        try SmallFile.write([], to: "\(directory)/apparmor/tenants")
        try profiles.appArmor("tenants")
        do throws(PodProblem) {
          try profiles.appArmor(name)
          outcome = .through("it was accepted")
        } catch { outcome = .held(error.message) }
      }
      return outcome
    }
    #expect(held)
  }

  @Test("a profile of the administrator holds in a container, and only its copy is handed on")
  func holds() async throws {
    try await TestNode.with { node in
      try Directory.make("\(node.directory)/seccomp")
      try SmallFile.write(
        Array(
          #"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["getuid"], "action": "SCMP_ACT_ERRNO"}]}"#.utf8),
        to: "\(node.directory)/seccomp/no-uid.json")
      try await node.create(
        "profiled",
        [
          "args": ["whoami"],
          "securityContext": ["seccompProfile": ["type": "Localhost", "localhostProfile": "no-uid.json"]],
        ], spec: ["restartPolicy": "Never"])
      let pod = try await node.wait("profiled", until: "it has run") { $0.status["phase"] == "Succeeded" }
      #expect(try await node.log(pod) == "uid -1 gid 0\n")
      #expect(
        try FileStatus(of: "\(node.directory)/pods/\(pod.uid)/seccomp/main.json")?.permissions == 0o600)
      try await node.create(
        "missing",
        ["securityContext": ["seccompProfile": ["type": "Localhost", "localhostProfile": "none.json"]]])
      try await node.wait("missing", until: "it is told") {
        $0.containerStatus["state"]["waiting"]["message"].string?.contains("no seccomp profile \"none.json\"") == true
      }
      try await node.delete("profiled")
      try await node.delete("missing")
    }
  }
}
