import LinuxSystem

/// Runs lvm2's commands on one volume group.
///
/// Every command runs to its end or to the deadline, also if who wanted it is cancelled: lvm is not ended in the middle of
/// what it changes.
struct LVMTool: Sendable {
  let group: String
  /// For one command; lvm waits for the group's lock without end.
  let deadline: Duration

  /// - Throws: `LVMError`.
  func run(_ arguments: [String]) async throws(LVMError) { _ = try await output(arguments) }

  /// - Throws: `LVMError`.
  func report() async throws(LVMError) -> LVMReport {
    let text = try await output(["fullreport"] + LVMReport.options + [group])
    do throws(LVMReportError) { return try LVMReport(parsing: Array(text.utf8), group: group) } catch {
      throw .failed("\(error)")
    }
  }

  private func output(_ arguments: [String]) async throws(LVMError) -> String {
    let deadline = deadline
    // Detached: who gives up ends his waiting, not lvm in the middle of a change.
    let command = Task.detached { try await Command.result("lvm", arguments, timeout: deadline) }
    let result: CommandOutput
    do { result = try await command.value } catch CommandError.notFound { throw .notInstalled } catch CommandError
      .timedOut
    { throw .lockHeld(after: deadline) } catch { throw .failed("\(error)") }
    guard result.exitCode == 0 else { throw LVMError(parsing: result.standardError, exitCode: result.exitCode) }
    return result.standardOutput
  }

  /// Whether LVM takes the name for a group (lvm(8), "valid names"); such names are safe in paths and commands.
  static func isValidName(_ name: String) -> Bool {
    let allowed = "+_.-"
    return (1...127).contains(name.utf8.count) && name != "." && name != ".." && name.first != "-"
      && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || allowed.contains($0)) }
  }
}

/// Why lvm did not do what it was asked to.
enum LVMError: Error, Hashable, CustomStringConvertible {
  case notInstalled
  case groupMissing
  /// Not done within the deadline: somebody else holds the group's lock, or a disk does not answer.
  case lockHeld(after: Duration)
  /// Extents, as far as lvm says how many.
  case noExtents(needed: Int64?, free: Int64?)
  /// Above `activation/thin_pool_autoextend_threshold`.
  case thinPoolFull(String)
  case inUse
  case nameTaken
  case volumeMissing
  case sizeUnchanged
  case failed(String)

  /// What lvm2's messages (in English: LC_ALL=C) mean.
  init(parsing text: String, exitCode: Int) {
    let lines = text.split(whereSeparator: \.isNewline).map { $0.drop { $0 == " " } }
      .filter { !$0.isEmpty && !$0.hasPrefix("WARNING:") && !$0.hasPrefix("File descriptor ") }
    func has(_ words: String) -> Bool { lines.contains { $0.contains(words) } }
    let tail = String(lines.suffix(5).joined(separator: "; ").prefix(500))
    if has("Volume group \""), has("not found"), has("Cannot process volume group") || lines.count == 1 {
      self = .groupMissing
    } else if has("Can't get lock") || has("Giving up waiting for lock") {
      self = .lockHeld(after: .zero)
    } else if let line = lines.first(where: { $0.contains("has insufficient free space (") }) {
      // …has insufficient free space (877 extents): 25600 required.
      let words = line.split(separator: "(").last.map { Self.wholeNumbers($0) } ?? []
      self = .noExtents(needed: words.last, free: words.first)
    } else if let line = lines.first(where: { $0.hasPrefix("Insufficient free space: ") }) {
      // Insufficient free space: 31968 extents needed, but only 2014 available
      let words = Self.wholeNumbers(line)
      self = .noExtents(needed: words.first, free: words.count > 1 ? words.last : nil)
    } else if has("Insufficient suitable ") || has("No free extents") {
      self = .noExtents(needed: nil, free: nil)
    } else if has("free space in thin pool"), has("threshold") {
      self = .thinPoolFull(tail)
    } else if has(" in use.") || has("contains a filesystem in use") || has("is used by another device") {
      self = .inUse
    } else if has("already exists in volume group") {
      self = .nameTaken
    } else if has("Failed to find logical volume") || has("not found in volume group") {
      self = .volumeMissing
    } else if has("matches existing size") || has("not larger than existing size") {
      self = .sizeUnchanged
    } else {
      self = .failed(tail.isEmpty ? "exit \(exitCode)" : tail)
    }
  }

  private static func wholeNumbers(_ text: Substring) -> [Int64] {
    text.split { !$0.isASCII || !$0.isNumber }.compactMap { Int64($0) }
  }

  var description: String {
    switch self {
    case .notInstalled: "lvm2 is not installed; install the package lvm2"
    case .groupMissing: "the volume group is not there; make it (vgcreate) or attach its disks"
    case .lockHeld(let after):
      "lvm did not answer\(after == .zero ? "" : " within \(after)"): another lvm command holds the group's lock or a disk does not answer; see what runs (ps -C lvm) and repeat"
    case .noExtents(let needed, let free):
      "the volume group has not enough free extents"
        + (needed.map { "; \($0) needed" } ?? "") + (free.map { ", \($0) free" } ?? "")
    case .thinPoolFull(let text): text
    case .inUse: "the logical volume is in use"
    case .nameTaken: "a logical volume of that name is there already"
    case .volumeMissing: "the logical volume is gone"
    case .sizeUnchanged: "the logical volume has that size already"
    case .failed(let text): text
    }
  }
}
