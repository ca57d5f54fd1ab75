import Foundation

/// One try of somebody to get what is not theirs: a row of the table that `make attack` runs.
///
/// A suite of attacks is named `…Attacks`, so that `--filter Attacks` finds it; each try is noted for the figures.
public struct Attack: Sendable, Hashable, CustomStringConvertible {
  /// Who tries.
  public enum Role: String, Sendable, CaseIterable {
    case outsider, viewer, editor, tenantAdmin = "tenant admin", pod, podWithToken = "pod with a token"
    case component = "a part of the platform"
  }

  /// What is wanted.
  public enum Target: String, Sendable, CaseIterable {
    case otherData = "another tenant's objects", otherSecrets = "another tenant's secrets"
    case otherVolumes = "another tenant's volumes", otherImages = "another tenant's images"
    case otherTraffic = "another tenant's traffic"
    case nodeFiles = "the node's files", nodeDevices = "the node's devices", nodePorts = "the node's ports"
    case nodeMemory = "the node's memory", nodeDisk = "the node's disk", nodeProcesses = "the node's process ids"
    case platformProcess = "the platform's process", platformStore = "the platform's store"
    case platformStart = "the platform's start", platformRights = "the platform's rights", fairShare =
      "everybody's share"
  }

  public let role: Role
  /// The way in, in a few words: "subPath exchanged with a symbolic link".
  public let way: String
  public let target: Target

  public init(_ role: Role, _ way: String, on target: Target) {
    self.role = role
    self.way = way
    self.target = target
  }

  public var description: String { "\(role.rawValue): \(way) → \(target.rawValue)" }
}

/// How a try ended.
public enum AttackOutcome: Sendable, Hashable {
  /// The wall held; how that showed.
  case held(String)
  /// The attacker got what he wanted; what that was.
  case through(String)

  public var isHeld: Bool { if case .held = self { true } else { false } }

  /// - Parameter held: whether the wall held.
  public static func check(_ held: Bool, _ seen: @autoclosure () -> String) -> AttackOutcome {
    held ? .held(seen()) : .through(seen())
  }
}

/// Runs one try and notes its outcome in the file that `NAGAYA_ATTACKS` names (a tab-separated line each).
///
/// A try that could not be carried out throws: a wall that nobody ran against has not held.
/// Written for `let held = try await attempt(…) { … }; #expect(held)`; what got through is printed.
/// - Returns: whether the wall held.
public func attempt(_ attack: Attack, _ run: () async throws -> AttackOutcome) async throws -> Bool {
  let outcome = try await run()
  let (word, seen) =
    switch outcome {
    case .held(let seen): ("held", seen)
    case .through(let seen): ("THROUGH", seen)
    }
  let flat = seen.map { $0.isNewline || $0 == "\t" ? " " : String($0) }.joined()
  let line = "\(word)\t\(attack.role.rawValue)\t\(attack.way)\t\(attack.target.rawValue)\t\(flat.prefix(300))\n"
  if let path = ProcessInfo.processInfo.environment["NAGAYA_ATTACKS"] {
    let file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o644)
    if file >= 0 {
      _ = Array(line.utf8).withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
      close(file)
    }
  }
  if !outcome.isHeld { print("attack got through: \(attack): \(flat)") }
  return outcome.isHeld
}
